"""Pages, pictures and what is published; nothing here judges."""
