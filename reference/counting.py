"""How many cells count, and the mean over them."""

import numpy as np


def n_counted(per_cell, where=None):
    """The number of unmasked cells, at least 1."""
    return len(per_cell) if where is None else max(np.sum(where), 1)


def mean_over_cells(per_cell, where=None):
    """Mean over the unmasked cells, of numbers that are 0 where masked."""
    return per_cell.sum() / n_counted(per_cell, where)
