"""Nearest neighbours: an exact search that forms no (N, N) array, and an approximate one."""

from diffbio.neighbors._approximate import approximate_neighbors
from diffbio.neighbors._measured import Neighbors
from diffbio.neighbors._nearest import nearest_neighbors

__all__ = ["Neighbors", "approximate_neighbors", "nearest_neighbors"]
