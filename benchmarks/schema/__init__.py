"""What measuring and reporting share: names, units, rows and files, each declared once."""
