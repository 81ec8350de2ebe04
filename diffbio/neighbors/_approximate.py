"""Approximate search by pynndescent, for when an exact one takes too long."""

import jax.numpy as jnp
import numpy as np
from jaxtyping import Float

from diffbio import _checks
from diffbio._types import AnyArray, StaticInteger
from diffbio.neighbors._measured import Neighbors

__all__ = ["approximate_neighbors"]


def approximate_neighbors(
    x: Float[AnyArray, "n_cells dim"], n_neighbors: StaticInteger, *, seed: int = 0
) -> Neighbors:
    """The ``n_neighbors`` nearest other cells by nearest-neighbour descent; nearly all are right.

    Needs the extra ``approximate``: pynndescent, the library that scanpy uses. It runs on
    the CPU in float32, outside of ``jit``; hand its ``indices`` to a loss as
    ``neighbor_indices``. For a million cells it takes minutes where the exact search
    takes tens of minutes.

    Args:
        x: ``(n_cells, dim)`` floating embedding, concrete.
        n_neighbors: number of neighbours k, ``1 <= k < n_cells``.
        seed: seed of the search.

    Returns:
        :class:`Neighbors`, ascending by distance.

    Raises:
        ValueError, TypeError: as :func:`nearest_neighbors`.
        ImportError: pynndescent is not installed.

    Gradient:
        None: it cannot be traced.

    References:
        Dong et al., Efficient k-nearest neighbor graph construction for generic similarity
        measures, WWW 2011.
    """
    x = _checks.floating("x", x, ("n_cells", "dim"))
    n_neighbors = _checks.neighbor_count(n_neighbors, x.shape[0])
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
