"""Cells with known truth: simulated from a seed, or real. All sources return :class:`CellData`."""

from diffbio.datasets._cells import CellData
from diffbio.datasets._dentate_gyrus import dentate_gyrus
from diffbio.datasets._errors import DataError, OfflineError
from diffbio.datasets._starmap import starmap
from diffbio.datasets._two_batches import pbmc_two_batches
from diffbio.datasets.real import pbmc700
from diffbio.datasets.simulated import simulate_clusters, simulate_velocity

__all__ = [
    "CellData",
    "DataError",
    "OfflineError",
    "dentate_gyrus",
    "pbmc700",
    "pbmc_two_batches",
    "simulate_clusters",
    "simulate_velocity",
    "starmap",
]
