"""Cells with known truth: simulated from a seed, or real. All sources return :class:`CellData`."""

from diffbio.datasets._cells import CellData
from diffbio.datasets._errors import DataError, OfflineError
from diffbio.datasets._starmap import starmap
from diffbio.datasets.real import pbmc700
from diffbio.datasets.simulated import simulate_clusters, simulate_velocity

__all__ = [
    "CellData",
    "DataError",
    "OfflineError",
    "pbmc700",
    "simulate_clusters",
    "simulate_velocity",
    "starmap",
]
