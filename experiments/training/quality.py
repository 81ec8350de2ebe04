"""How well batches are mixed and types preserved, by the field's own measures."""

import numpy as np
from sklearn.cluster import KMeans
from sklearn.metrics import adjusted_rand_score

from experiments import measures
from experiments.training.cells import BatchedCells

__all__ = ["ilisi", "moved", "quality"]

_STARTS = 3


def quality(cells: BatchedCells, corrected: np.ndarray) -> dict[str, float]:
    """The measures by name; those of types only where the cells have types."""
    found = measures.lisi_neighbors(corrected)
    measured = {
        "ilisi": measures.ilisi(found, cells.batches),
        "kbet": measures.kbet(found, cells.batches),
        "moved": moved(cells.points, corrected),
    }
    types = cells.types
    if types is None:
        return measured
    clusters = KMeans(len(np.unique(types)), n_init=_STARTS, random_state=0).fit_predict(corrected)
    return {
        **measured,
        "clisi": measures.clisi(found, types),
        "ari": float(adjusted_rand_score(types, clusters)),
    }


def ilisi(cells: BatchedCells, corrected: np.ndarray) -> float:
    """The mixing alone."""
    return measures.ilisi(measures.lisi_neighbors(corrected), cells.batches)


def moved(before: np.ndarray, after: np.ndarray) -> float:
    """The mean squared move of the cells over their total variance."""
    return float(np.mean(np.sum((after - before) ** 2, axis=1)) / before.var(axis=0).sum())
