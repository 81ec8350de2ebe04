"""The public exact search: argument checks, and one call of the search in blocks."""

from jaxtyping import Bool, Float

from diffbio import _checks
from diffbio._shards import AxisName, n_cells_of_all
from diffbio._types import AnyArray, StaticInteger
from diffbio.neighbors._exact import search
from diffbio.neighbors._measured import Neighbors

__all__ = ["nearest_neighbors"]


def nearest_neighbors(
    x: Float[AnyArray, "n_cells dim"],
    n_neighbors: StaticInteger,
    *,
    where: Bool[AnyArray, " n_cells"] | None = None,
    block_size: StaticInteger | None = None,
    axis_name: AxisName = None,
) -> Neighbors:
    r"""The ``n_neighbors`` nearest *other* cells of each cell, by exact search.

    .. math:: N_k(i) = \operatorname{arg\,min}^{k}_{j \ne i} \lVert x_i - x_j \rVert^2

    A cell is excluded from its own neighbours by index, never by distance: its
    duplicate is its neighbour. Which of several cells at exactly the k-th distance is
    taken is not specified; the same input gives the same answer every time.
    A cell with a NaN or infinite coordinate is farther from every cell than all others are.
    Memory is ``O(n_cells * (dim + block_size))`` beside the result.

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
        axis_name: static; the mesh's axis over which the cells lie in shards, inside of
            ``jax.shard_map``. Indices count through the shards. See :mod:`diffbio.sharding`.

    Returns:
        :class:`Neighbors`, ascending by distance.

    Raises:
        ValueError: wrong rank, no cells, ``n_neighbors`` out of range, ``block_size < 1``.
        TypeError: ``x`` not real floating, ``where`` not boolean.

    Gradient:
        None: both results are constants under differentiation.

    Example:
        >>> import jax.numpy as jnp
        >>> nearest_neighbors(jnp.array([[0.0], [1.0], [3.0], [7.0]]), 2).indices.tolist()
        [[1, 2], [0, 2], [1, 0], [2, 1]]
    """
    x = _checks.floating("x", x, ("n_cells", "dim"))
    n_neighbors = _checks.neighbor_count(n_neighbors, n_cells_of_all(x.shape[0], axis_name))
    where = _checks.mask(where, x.shape[0])
    return search(x, n_neighbors, where, _checks.block_size("block_size", block_size), axis_name)
