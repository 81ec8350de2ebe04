"""Approximate search by nearest-neighbour descent, with pynndescent."""

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from diffbio.neighbors._measured import Neighbors

__all__ = ["search_by_descent"]


def search_by_descent(x: Float[Array, "n_cells dim"], n_neighbors: int, seed: int) -> Neighbors:
    """The nearest neighbours in pynndescent's graph, of checked arguments."""
    from pynndescent import NNDescent

    graph = NNDescent(
        np.asarray(x, np.float32), n_neighbors=n_neighbors + 1, random_state=seed
    ).neighbor_graph
    indices, distances = graph
    # The cell itself is nearly always listed, and first unless it has duplicates.
    others = indices != np.arange(len(indices))[:, None]
    others[others.all(axis=1), -1] = False
    shape = (len(indices), n_neighbors)
    return Neighbors(
        jnp.asarray(indices[others].reshape(shape), jnp.int32),
        jnp.asarray(distances[others].reshape(shape) ** 2),
    )
