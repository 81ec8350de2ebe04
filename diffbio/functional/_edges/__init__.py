"""Losses of cells over the edges to their neighbours: in blocks, over shards, in safe units."""
