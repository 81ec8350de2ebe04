"""Work that takes minutes, on up to a million cells."""
