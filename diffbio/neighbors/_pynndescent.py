"""Approximate search by nearest-neighbour descent, with pynndescent."""

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from diffbio.neighbors._measured import Neighbors

__all__ = ["search_by_descent"]


def search_by_descent(x: Float[Array, "n_cells dim"], n_neighbors: int, seed: int) -> Neighbors:
    """The nearest neighbours in pynndescent's graph, of checked arguments."""
    from pynndescent import NNDescent

    points, unit = _in_their_unit(np.asarray(x))
    graph = NNDescent(points, n_neighbors=n_neighbors + 1, random_state=seed).neighbor_graph
    indices, distances = graph
    # The cell itself is nearly always listed, and first unless it has duplicates.
    others = indices != np.arange(len(indices))[:, None]
    others[others.all(axis=1), -1] = False
    shape = (len(indices), n_neighbors)
    return Neighbors(
        jnp.asarray(indices[others].reshape(shape), jnp.int32),
        jnp.asarray((distances[others].reshape(shape) * unit) ** 2),
    )


def _in_their_unit(x: np.ndarray) -> tuple[np.ndarray, np.float32]:
    """The cells in float32, in a power of 2 near the size of most: squares stay in range."""
    sizes = np.abs(x).max(axis=1)
    size = np.median(sizes[np.isfinite(sizes)]) if np.isfinite(sizes).any() else 1
    unit = np.ldexp(1.0, np.clip(np.frexp(size)[1], -120, 120)) if size > 0 else 1.0
    return (x * x.dtype.type(1 / unit)).astype(np.float32), np.float32(unit)
