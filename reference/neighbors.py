"""Exact nearest neighbours, one cell after another."""

import numpy as np

# Cells measured again by differences beside the k wanted ones; see nearest_neighbors.
_SPARE = 20


def nearest_neighbors(x, n_neighbors, where=None):
    """Indices of the ``n_neighbors`` nearest other cells of each cell, nearest first.

    The squared distances of a cell to all others come from one matrix-vector product on
    centred data, which loses a few digits; the nearest of them, and some more, are then
    measured again by differences. Missing neighbours are -1.
    """
    x = np.asarray(x, dtype=np.float64)
    n_cells = len(x)
    counted = np.ones(n_cells, bool) if where is None else np.asarray(where)
    z = x - x[counted].mean(axis=0) if counted.any() else x
    squares = np.where(counted, (z * z).sum(axis=1), np.inf)
    z = np.where(counted[:, None], z, 0)
    indices = np.full((n_cells, n_neighbors), -1)
    n_candidates = min(n_neighbors + 1 + _SPARE, n_cells)
    for i in np.flatnonzero(counted):
        approximate = squares - 2 * (z @ z[i])
        candidates = np.argpartition(approximate, n_candidates - 1)[:n_candidates]
        candidates = candidates[counted[candidates] & (candidates != i)]
        distances = ((x[candidates] - x[i]) ** 2).sum(axis=1)
        nearest = candidates[np.argsort(distances, kind="stable")[:n_neighbors]]
        indices[i, : len(nearest)] = nearest
    return indices


def usable(indices, i, where=None):
    """The set of row i's entries that carry weight: not negative, not the cell, not masked."""
    row = np.unique(indices[i])
    row = row[(row >= 0) & (row != i)]
    if where is None:
        return row
    return row[where[row]] if where[i] else row[:0]
