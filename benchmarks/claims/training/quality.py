"""How well batches are mixed and types preserved, by the field's own measures."""

import jax.numpy as jnp
import numpy as np
from scib_metrics import clisi_knn, ilisi_knn, kbet
from scib_metrics.nearest_neighbors import NeighborsResults
from sklearn.cluster import KMeans
from sklearn.metrics import adjusted_rand_score

from benchmarks.claims.training.cells import BatchedCells
from diffbio.neighbors import nearest_neighbors

__all__ = ["ilisi", "moved", "quality"]

# The cell itself and as many others: what scib-metrics' LISI and kBET take.
_N_NEIGHBORS = 90
_STARTS = 3


def quality(cells: BatchedCells, corrected: np.ndarray) -> dict[str, float]:
    """The measures by name; those of types only where the cells have types."""
    found = neighbors(corrected)
    measured = {
        "ilisi": float(ilisi_knn(found, cells.batches)),
        "kbet": float(kbet(found, cells.batches)[0]),
        "moved": moved(cells.points, corrected),
    }
    types = cells.types
    if types is None:
        return measured
    clusters = KMeans(len(np.unique(types)), n_init=_STARTS, random_state=0).fit_predict(corrected)
    return {
        **measured,
        "clisi": float(clisi_knn(found, types)),
        "ari": float(adjusted_rand_score(types, clusters)),
    }


def ilisi(cells: BatchedCells, corrected: np.ndarray) -> float:
    """The mixing alone."""
    return float(ilisi_knn(neighbors(corrected), cells.batches))


def moved(before: np.ndarray, after: np.ndarray) -> float:
    """The mean squared move of the cells over their total variance."""
    return float(np.mean(np.sum((after - before) ** 2, axis=1)) / before.var(axis=0).sum())


def neighbors(points: np.ndarray) -> NeighborsResults:
    """The exact nearest neighbours, each cell first among its own."""
    x = jnp.asarray(points)
    n_others = min(_N_NEIGHBORS, len(points)) - 1
    found = nearest_neighbors(x, n_others)
    own = np.arange(len(points))[:, None]
    return NeighborsResults(
        indices=np.hstack([own, found.indices]),
        distances=np.hstack([np.zeros((len(points), 1)), np.sqrt(found.squared_distances)]),
    )
