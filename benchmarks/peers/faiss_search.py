"""FAISS's exact search, ``IndexFlatL2``: the neighbours alone, no loss and no gradient."""

from collections.abc import Callable, Mapping
from typing import Any

import faiss
import numpy as np

from benchmarks.catalog.cases import case
from benchmarks.measure.environment import usable_cores

__all__ = ["prepare"]


def prepare(loss: str, transform: str, arrays: Mapping[str, Any]) -> Callable[[], Any]:
    """Build the index and search it, for the k nearest others and the cell itself."""
    faiss.omp_set_num_threads(len(usable_cores()))
    points = np.ascontiguousarray(next(iter(arrays.values())), dtype=np.float32)
    n_neighbors = case(loss).n_neighbors
    assert n_neighbors is not None, loss

    def search() -> Any:
        index = faiss.IndexFlatL2(points.shape[1])
        index.add(points)
        return index.search(points, n_neighbors + 1)

    return search
