"""scib-metrics' iLISI over given neighbours: mixing evaluated without a gradient."""

from collections.abc import Callable, Mapping
from typing import Any

import jax.numpy as jnp
import numpy as np
from scib_metrics import ilisi_knn
from scib_metrics.nearest_neighbors import NeighborsResults

from diffbio.neighbors import nearest_neighbors

__all__ = ["prepare"]


def prepare(loss: str, transform: str, arrays: Mapping[str, Any]) -> Callable[[], Any]:
    """iLISI on 90 neighbours, as the field uses it, searched beforehand."""
    found = nearest_neighbors(arrays["embeddings"], 90)
    # iLISI's loop carries JAX's default precision and refuses distances of another one.
    distances = np.sqrt(np.asarray(found.squared_distances, dtype=jnp.result_type(float)))
    neighbors = NeighborsResults(indices=np.asarray(found.indices), distances=distances)
    labels = np.asarray(arrays["batch_labels"])
    return lambda: ilisi_knn(neighbors, labels)
