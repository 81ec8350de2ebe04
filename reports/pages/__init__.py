"""Pages, plots and published reports; nothing here judges."""
