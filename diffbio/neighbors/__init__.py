"""Nearest neighbours: exact in blocks of rows, never an (N, N) array, or approximate."""

from diffbio.neighbors._approximate import approximate_neighbors
from diffbio.neighbors._exact import Neighbors
from diffbio.neighbors._nearest import nearest_neighbors

__all__ = ["Neighbors", "approximate_neighbors", "nearest_neighbors"]
