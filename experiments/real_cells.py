"""The real cells of the experiments, each read once by a process."""

from functools import cache

import numpy as np

from diffbio import datasets
from diffbio.datasets import CellData
from experiments.experiment import Size

__all__ = ["dentate_gyrus", "labelled_starmap", "nine_tenths", "pbmc_two_batches"]


@cache
def dentate_gyrus() -> CellData:
    """As published."""
    return datasets.dentate_gyrus()


@cache
def pbmc_two_batches() -> CellData:
    """As published."""
    return datasets.pbmc_two_batches()


@cache
def labelled_starmap() -> CellData:
    """The STARmap cells that have a published type."""
    cells = datasets.starmap()
    return cells.subset(cells.arrays()["cluster_labels"] >= 0)


def nine_tenths(cells: CellData, size: Size, seed: int) -> CellData:
    """A random nine tenths of real cells, others for every seed; at most ``n_real_cells``."""
    n_kept = min(9 * cells.n_cells // 10, size.n_real_cells or cells.n_cells)
    return cells.subset(np.random.default_rng(seed).permutation(cells.n_cells) < n_kept)
