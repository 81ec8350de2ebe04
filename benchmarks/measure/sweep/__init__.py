"""One run of everything: each loss on each set of cells, on every device."""
