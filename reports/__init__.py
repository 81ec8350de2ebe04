"""Turn measurements into a page, a headline and an exit code."""
