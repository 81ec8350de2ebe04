"""Nearest neighbours: exact in blocks of rows, never an (N, N) array, or approximate."""

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float

from diffbio import _checks
from diffbio._search import Neighbors, search

__all__ = ["Neighbors", "approximate_neighbors", "nearest_neighbors"]


def nearest_neighbors(
    x: Float[Array, "n_cells dim"],
    n_neighbors: int,
    *,
    where: Bool[Array, " n_cells"] | None = None,
    block_size: int | None = None,
) -> Neighbors:
    r"""The ``n_neighbors`` nearest *other* cells of each cell, by exact search.

    .. math:: N_k(i) = \operatorname{arg\,min}^{k}_{j \ne i} \lVert x_i - x_j \rVert^2

    A cell is excluded from its own neighbours by index, never by distance: its
    duplicate is its neighbour. Which of several cells at exactly the k-th distance is
    taken is not specified; the same input gives the same answer every time.
    Memory is ``O(n_cells * (dim + block_size))``.

    Embeddings in which most cells have more than a few others at the same non-zero
    distance to within ``1e-4`` relative (integer grids), or with clusters thousands of
    times farther apart than they are wide, are still answered exactly but about fifty
    times slower, since no bound in float32 can tell such neighbours apart.

    Args:
        x: ``(n_cells, dim)`` floating embedding.
        n_neighbors: number of neighbours k, static, ``1 <= k < n_cells``.
        where: optional ``(n_cells,)`` mask; a masked cell is nobody's neighbour and has none.
        block_size: rows searched at once, static; chosen from the shape by default. It
            changes speed and memory only.

    Returns:
        :class:`Neighbors`, ascending by distance.

    Raises:
        ValueError: wrong rank, no cells, ``n_neighbors`` out of range, ``block_size < 1``.
        TypeError: ``x`` not real floating, ``where`` not boolean.

    Gradient:
        None: both results are constants under differentiation.
    """
    x = _checks.floating("x", x, ("n_cells", "dim"))
    _checks.neighbor_count(n_neighbors, x.shape[0])
    where = _checks.mask(where, x.shape[0])
    if block_size is not None:
        _checks.positive_integer("block_size", block_size)
    return search(x, n_neighbors, where, block_size)


def approximate_neighbors(
    x: Float[Array, "n_cells dim"], n_neighbors: int, *, seed: int = 0
) -> Neighbors:
    """The ``n_neighbors`` nearest other cells by nearest-neighbour descent, nearly all right.

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
    _checks.neighbor_count(n_neighbors, x.shape[0])
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
