"""Both passes over edges whose far ends lie in any shard.

The points of all shards go round the ring in pieces, and an edge is worked on while the piece
with its far end is here. The edges are sorted by their far ends, so that the edges of a piece
stand together and are worked on in chunks. Every edge is worked on once, however many shards
there are.

What is kept per edge, its number in that order and its products, would take as much memory as
the points of a shard. So the cells of a shard are worked on in groups, one after the other,
and all points go round once for each group.
"""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from diffbio._blocks import over_row_blocks, read_rows, write_rows
from diffbio._numerics import sums_over_last_axis
from diffbio._platform import Platform
from diffbio._shards import AxisName, part_size
from diffbio.functional._edges.terms import Coefficients, Columns, Points, terms
from diffbio.functional._edges.visits import Chunk, Group, over_visits

__all__ = ["gradients_in_ring", "group_size", "products_in_ring"]

_GROUPS = 2
_SMALLEST_GROUP = 256

Indices = Int[Array, "n_cells n_neighbors"]


def group_size(n_cells: int) -> int:
    """How many cells of a shard are worked on together."""
    return part_size(n_cells, _GROUPS, _SMALLEST_GROUP)


def products_in_ring(
    platform: Platform,
    points: Points,
    indices: Indices,
    per_unit: Float[Array, ""] | float,
    start: Int[Array, ""],
    axis_name: AxisName,
) -> Columns:
    """The products of the edges of the group that starts there, ``(n_neighbors, group)`` each.

    Points are multiplied by ``per_unit`` before. The products are 0 where the far end is in no
    shard.
    """
    group = Group.of(indices, start, group_size(len(indices)))

    def fold(visitors: Array, chunk: Chunk, _: None, products: Columns) -> tuple[None, Columns]:
        operands = (array * per_unit for array in _vectors(points, visitors, chunk))
        found = sums_over_last_axis(platform, terms, *operands)
        return None, jax.tree.map(
            lambda whole, part: whole.at[chunk.numbers].set(part, mode="drop"), products, found
        )

    empty = jnp.zeros_like(points[0], shape=group.order.shape)
    products = (empty,) * (3 if len(points) == 2 else 1)
    products = over_visits(fold, None, group, points[0], products, axis_name)
    return tuple(array.reshape(indices.shape[1], -1) for array in products)


def gradients_in_ring(
    points: Points,
    indices: Indices,
    p_units: Float[Array, " n_cells"] | None,
    coefficients: Coefficients,
    of_cells: Float[Array, " n_cells"],
    of_vectors: Float[Array, ""] | float,
    axis_name: AxisName,
) -> Points:
    """The cotangents of the points, by the coefficients and what scales cells and vectors.

    With ``d = x_j - x_i``: ``d_bar = along d + onto p``, which x_j gets, and x_i with the other
    sign; ``p_bar = sum_j onto d + own p``. The cotangents of far ends go round with their piece.
    """
    n_cells = len(indices)

    def add_group(start: Int[Array, ""], fresh: Array, points_bar: Points) -> Points:
        group = Group.of(indices, start, len(fresh))

        def fold(
            visitors: Array, chunk: Chunk, ends_bar: Array, points_bar: Points
        ) -> tuple[Array, Points]:
            x_bar, *p_bar = points_bar
            d, *p = (array * of_vectors for array in _vectors(points, visitors, chunk))
            counted = chunk.valid & fresh[chunk.rows - start]
            scale = jnp.where(counted, of_cells[chunk.rows], 0)
            d_bar = (scale * coefficients.along[chunk.slots, chunk.rows])[:, None] * d
            if coefficients.onto is not None:
                onto = (scale * coefficients.onto[chunk.slots, chunk.rows])[:, None]
                d_bar += onto * p[0]
                p_bar = [_added(p_bar[0], chunk.rows, onto * d)]
            return _added(ends_bar, chunk.ends, d_bar), (_added(x_bar, chunk.rows, -d_bar), *p_bar)

        return over_visits(fold, _add_returned, group, points[0], points_bar, axis_name)

    zeros = jax.tree.map(jnp.zeros_like, points)
    x_bar, *p_bar = over_row_blocks(n_cells, group_size(n_cells), add_group, zeros)
    if p_units is None or coefficients.own is None:
        return (x_bar,)
    own = (of_cells * coefficients.own)[:, None] * (points[1] * (1 / p_units)[:, None])
    return x_bar, p_bar[0] + own


def _add_returned(
    piece_bar: Float[Array, "piece dim"], start: Int[Array, ""], points_bar: Points
) -> Points:
    """Add the cotangents of a piece that starts at that row."""
    x_bar, *p_bar = points_bar
    rows = read_rows(x_bar, start, len(piece_bar)) + piece_bar
    return write_rows(x_bar, rows, start), *p_bar


def _added(array: Array, rows: Int[Array, " chunk"], addends: Float[Array, "chunk dim"]) -> Array:
    return array.at[rows].add(addends, mode="promise_in_bounds")


def _vectors(
    points: Points, visitors: Float[Array, "n_visitors dim"], chunk: Chunk
) -> tuple[Float[Array, "chunk dim"], ...]:
    """The differences of the edges, and p of their near ends if there is one."""
    own = [array.at[chunk.rows].get(mode="promise_in_bounds") for array in points]
    ends = visitors.at[chunk.ends].get(mode="promise_in_bounds")
    return ends - own[0], *own[1:]
