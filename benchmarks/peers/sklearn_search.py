"""scikit-learn's brute-force neighbours: no loss and no gradient."""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from sklearn.neighbors import NearestNeighbors

from benchmarks.catalog.cases import case

__all__ = ["prepare"]


def prepare(loss: str, transform: str, arrays: Mapping[str, Any]) -> Callable[[], Any]:
    """Fit and query, for the k nearest others."""
    points = np.ascontiguousarray(next(iter(arrays.values())), dtype=np.float32)
    search = NearestNeighbors(n_neighbors=case(loss).n_neighbors, algorithm="brute")
    return lambda: search.fit(points).kneighbors()
