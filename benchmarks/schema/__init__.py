"""What measuring and reporting share: names, units, rows and files; imports nothing heavy."""
