"""Pages, pictures and published reports; nothing here judges."""
