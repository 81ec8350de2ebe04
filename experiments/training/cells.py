"""The real cells that methods are compared on."""

from functools import cache
from typing import NamedTuple

import numpy as np

from diffbio.datasets import CellData
from experiments.real_cells import labelled_starmap, pbmc_two_batches

__all__ = ["STARMAP", "TWO_BATCHES", "UNBALANCED", "BatchedCells", "cells_of"]

STARMAP = "STARmap"
UNBALANCED = "STARmap, one batch thinned to a tenth"
TWO_BATCHES = "PBMC of two batches"
_THINNED, _KEPT = 0, 0.1


class BatchedCells(NamedTuple):
    """What a correction starts from; ``types`` are None where nobody named them."""

    points: np.ndarray
    batches: np.ndarray
    types: np.ndarray | None

    @property
    def n_batches(self) -> int:
        """The number of batches."""
        return int(self.batches.max()) + 1


@cache
def cells_of(name: str, n_cells: int | None) -> BatchedCells:
    """Cells by name, at most ``n_cells`` of them, drawn from a fixed seed."""
    rng = np.random.default_rng(0)
    cells = _batched(pbmc_two_batches() if name == TWO_BATCHES else labelled_starmap())
    if name == UNBALANCED:
        thinned = cells.batches == _THINNED
        cells = _of(cells, np.flatnonzero(~thinned | (rng.random(len(thinned)) < _KEPT)))
    if n_cells is not None:
        cells = _of(cells, rng.permutation(len(cells.points))[:n_cells])
    return cells


def _batched(cells: CellData) -> BatchedCells:
    points, batches = np.asarray(cells.embeddings), np.asarray(cells.batch_labels)
    return BatchedCells(points, batches, cells.cluster_labels)


def _of(cells: BatchedCells, rows: np.ndarray) -> BatchedCells:
    types = None if cells.types is None else cells.types[rows]
    return BatchedCells(cells.points[rows], cells.batches[rows], types)
