"""The public approximate search, for when an exact one takes too long."""

from jaxtyping import Array, Float

from diffbio import _checks
from diffbio._types import AnyArray, StaticInteger
from diffbio.neighbors._exact import search
from diffbio.neighbors._ivf import default_lists, default_probes, search_lists
from diffbio.neighbors._measured import Neighbors
from diffbio.neighbors._resolution import n_unresolved

__all__ = ["approximate_neighbors"]


def approximate_neighbors(
    x: Float[AnyArray, "n_cells dim"],
    n_neighbors: StaticInteger,
    *,
    n_lists: StaticInteger | None = None,
    n_probes: StaticInteger | None = None,
    seed: StaticInteger = 0,
) -> Neighbors:
    """The ``n_neighbors`` nearest other cells of each cell, nearly all of them right.

    It runs outside of ``jit``; hand its ``indices`` to a loss as ``neighbor_indices``.

    The index is an inverted file, on the device that holds ``x``. Seeded k-means on a sample
    gives ``n_lists`` centroids, and every cell belongs to the list of the nearest one. The
    cells of a list are compared with the ``n_probes`` lists near it. More precisely, a list is
    kept in rows of a fixed number of cells, and the cells of a row are compared with the share
    ``n_probes / n_lists`` of all rows, the nearest ones. If these could hold fewer than
    ``n_neighbors`` others, more are probed, so that no neighbour is missing.
    The distances are differences of cells, in the precision of the input. With ``n_probes =
    n_lists``, the default up to 2048 cells, it is the exact search. The recall depends on the
    data: it is high where cells form clusters or lie near a surface of few dimensions, and
    low for noise in many dimensions. Duplicates are each other's neighbours, and a cell with
    a NaN or infinite coordinate is farther than all others, as in the exact search. Time
    is ``O(n_cells^2 * dim * n_probes / n_lists)``, memory ``O(n_cells * (dim + n_neighbors))``
    and the blocks of distances.

    Args:
        x: ``(n_cells, dim)`` floating embedding, concrete.
        n_neighbors: number of neighbours k, ``1 <= k < n_cells``.
        n_lists: number of lists (FAISS's nlist), at most ``n_cells``. The root of ``n_cells``
            by default.
        n_probes: number of lists probed (FAISS's nprobe), at most ``n_lists``. By default twice
            the root of ``n_lists``, and lists of 2048 cells at least.
        seed: seed of the k-means; the same seed gives the same bits.

    Returns:
        :class:`Neighbors`, ascending by distance.

    Raises:
        ValueError: as :func:`nearest_neighbors`; ``n_lists`` or ``n_probes`` out of range;
            cells that are nearer to each other, beside the farthest ones, than float32 tells
            apart.
        TypeError: as :func:`nearest_neighbors`; ``x`` traced.

    Gradient:
        None: it cannot be traced.

    References:
        Jégou et al., Product quantization for nearest neighbor search, IEEE TPAMI 2011 (the
        inverted file).

    Example:
        >>> import jax.numpy as jnp
        >>> from diffbio.neighbors import approximate_neighbors
        >>> x = jnp.array([[0.0], [1.0], [3.0], [7.0], [8.0]])
        >>> approximate_neighbors(x, 1).indices.ravel().tolist()
        [1, 0, 1, 4, 3]
    """
    if _checks.is_traced(x):
        raise TypeError(f"x must be known: the search cannot be traced, got a traced {x}")
    x = _checks.floating("x", x, ("n_cells", "dim"))
    n_neighbors = _checks.neighbor_count(n_neighbors, x.shape[0])
    seed = _checks.non_negative_integer("seed", seed)
    n_lists = default_lists(len(x)) if n_lists is None else n_lists
    n_lists = _at_most(len(x), "n_cells", "n_lists", n_lists)
    n_probes = default_probes(len(x), n_lists) if n_probes is None else n_probes
    n_probes = _at_most(n_lists, "n_lists", "n_probes", n_probes)
    if n_probes == n_lists:
        return search(x, n_neighbors, None, None)
    return _resolved(x, search_lists(x, n_neighbors, n_lists, n_probes, seed))


def _resolved(x: Float[Array, "n_cells dim"], found: Neighbors) -> Neighbors:
    """The neighbours; an error if float32 cannot tell them from the cells near them."""
    unresolved = int(n_unresolved(x, found.indices[:, -1]))
    if unresolved:
        raise ValueError(
            f"x has {unresolved} cells whose neighbours differ by less than float32 tells apart "
            "beside the farthest cells, so that an approximate search would choose any of them; "
            "leave the farthest cells out, or take nearest_neighbors, which is exact"
        )
    return found


def _at_most(most: int, most_name: str, name: str, value: object) -> int:
    number = _checks.positive_integer(name, value)
    if number > most:
        raise ValueError(f"{name} must be at most {most_name}={most}, got {number}")
    return number
