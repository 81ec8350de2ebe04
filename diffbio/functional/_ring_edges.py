"""Both passes over edges whose far ends lie in any shard.

The points of all shards visit in pieces, and an edge is worked on when its far end visits.
The edges are sorted by their far ends, so that those whose ends visit stand in one stretch,
which is worked on in chunks. Every edge is worked on once, however many shards there are.

An array of one number per edge is ``(n_neighbors, n_cells)``, as in ``_edges``. The place of
an edge in it, read row by row, is the edge's number here.
"""

from collections.abc import Callable
from functools import partial
from typing import NamedTuple, TypeVar

import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Float, Int

from diffbio._blocks import over_row_blocks, read_rows, rows_for, write_rows
from diffbio._numerics import sums_over_last_axis
from diffbio._shards import AxisName, around_ring, piece_size
from diffbio.functional._edge_terms import Coefficients, Columns, Points, terms

__all__ = ["gradients_in_ring", "products_in_ring"]

Indices = Int[Array, "n_cells n_neighbors"]
Carry = TypeVar("Carry")


def products_in_ring(
    points: Points, indices: Indices, unit: Float[Array, ""] | float, axis_name: AxisName
) -> Columns:
    """The products that a cell loss takes, for all edges; 0 where the far end is in no shard."""
    order = _order_by_end(indices)
    n_cells = len(indices)

    def add_chunk(visitors: Array, chunk: "_Chunk", products: Columns) -> Columns:
        found = sums_over_last_axis(terms, *_operands(points, visitors, chunk, unit))
        return jax.tree.map(
            lambda whole, part: whole.at[chunk.edges].set(part, mode="drop"), products, found
        )

    def visit_all(start: Int[Array, ""], fresh: Array, products: Columns) -> Columns:
        def step(first: Int[Array, ""] | int, x: Array, products: Columns) -> tuple[Array, Columns]:
            visits = _visits(indices, first + start, fresh)
            return x, _over_chunks(partial(add_chunk, x), indices, order, visits, points, products)

        x = read_rows(points[0], start, piece_size(n_cells))
        return around_ring(step, x, products, n_cells, axis_name)[1]

    per_edge = jnp.zeros_like(points[0], shape=(indices.size,))
    empty = (per_edge,) * (3 if len(points) == 2 else 1)
    products = over_row_blocks(n_cells, piece_size(n_cells), visit_all, empty)
    return tuple(array.reshape(-1, n_cells) for array in products)


def gradients_in_ring(
    points: Points,
    indices: Indices,
    unit: Float[Array, ""] | float,
    coefficients: Coefficients,
    axis_name: AxisName,
) -> Points:
    """The cotangents of the points, whose shares in the far ends travel home with the visitors."""
    order = _order_by_end(indices)
    n_cells = len(indices)
    flat = jax.tree.map(jnp.ravel, coefficients)

    def add_chunk(
        visitors: Array, chunk: "_Chunk", bars: tuple[Array, Points]
    ) -> tuple[Array, Points]:
        visitors_bar, (x_bar, *p_bar) = bars
        d, *p = _operands(points, visitors, chunk, unit)
        along, onto, _ = jax.tree.map(
            lambda column: column.at[chunk.edges].get(mode="fill", fill_value=0)[:, None], flat
        )
        d_bar = along * d
        if p:
            d_bar += onto * p[0]
            p_bar = [p_bar[0].at[chunk.rows].add(onto * d, mode="promise_in_bounds")]
        x_bar = x_bar.at[chunk.rows].add(-d_bar, mode="promise_in_bounds")
        return visitors_bar.at[chunk.ends].add(d_bar, mode="promise_in_bounds"), (x_bar, *p_bar)

    def visit_all(start: Int[Array, ""], fresh: Array, points_bar: Points) -> Points:
        def step(
            first: Int[Array, ""] | int, visiting: tuple[Array, Array], points_bar: Points
        ) -> tuple[tuple[Array, Array], Points]:
            x, x_bar = visiting
            visits = _visits(indices, first + start, fresh)
            bars = _over_chunks(
                partial(add_chunk, x), indices, order, visits, points, (x_bar, points_bar)
            )
            return (x, bars[0]), bars[1]

        x = read_rows(points[0], start, piece_size(n_cells))
        (_, bar), (x_bar, *p_bar) = around_ring(
            step, (x, jnp.zeros_like(x)), points_bar, n_cells, axis_name
        )
        home = read_rows(x_bar, start, len(bar)) + bar
        return write_rows(x_bar, home, start), *p_bar

    zeros = jax.tree.map(jnp.zeros_like, points)
    x_bar, *p_bar = over_row_blocks(n_cells, piece_size(n_cells), visit_all, zeros)
    if coefficients.own is None:
        return (x_bar,)
    return x_bar, p_bar[0] + coefficients.own[:, None] * points[1] * (1 / unit)


class _Visits(NamedTuple):
    """The first visitor's index among the cells of all shards, and the edges that end there.

    Attributes:
        first: the index.
        begin: the first of these edges in the sorted order.
        end: the one after the last.
    """

    first: Int[Array, ""]
    begin: Int[Array, ""]
    end: Int[Array, ""]


class _Chunk(NamedTuple):
    """Some edges, by their numbers, own cells, and far ends among the visitors.

    What stands for no edge has a number beyond all edges.
    """

    edges: Int[Array, " chunk"]
    rows: Int[Array, " chunk"]
    ends: Int[Array, " chunk"]


def _order_by_end(indices: Indices) -> Int[Array, " n_edges"]:
    """The numbers of the edges, sorted by their far ends."""
    edges = jnp.arange(indices.size, dtype=jnp.int32)
    return lax.sort((indices.T.reshape(-1), edges), num_keys=1)[1]


def _visits(indices: Indices, first: Int[Array, ""], fresh: Array) -> _Visits:
    """The edges that end at the fresh ones of consecutive visitors, fresh ones being last."""
    n_stale = len(fresh) - jnp.sum(fresh, dtype=jnp.int32)
    begin, end = (
        jnp.sum(indices < cell, dtype=jnp.int32) for cell in (first + n_stale, first + len(fresh))
    )
    return _Visits(first, begin, end)


def _over_chunks(
    step: Callable[[_Chunk, Carry], Carry],
    indices: Indices,
    order: Int[Array, " n_edges"],
    visits: _Visits,
    points: Points,
    carry: Carry,
) -> Carry:
    """Fold ``step(chunk, carry)`` over the edges that end at the visitors."""
    n_cells = len(indices)
    size = min(rows_for(points[0].shape[1], budget=1 << 14, smallest=16, largest=512), len(order))

    def fold_chunk(number: Int[Array, ""], carry: Carry) -> Carry:
        places = visits.begin + number * size + jnp.arange(size, dtype=jnp.int32)
        valid = places < visits.end
        edges = order[jnp.where(valid, places, 0)]
        rows = edges % n_cells
        ends = jnp.where(valid, indices[rows, edges // n_cells] - visits.first, 0)
        return step(_Chunk(jnp.where(valid, edges, len(order)), rows, ends), carry)

    n_chunks = (visits.end - visits.begin + size - 1) // size
    return lax.fori_loop(jnp.int32(0), n_chunks, fold_chunk, carry)


def _operands(
    points: Points, visitors: Float[Array, "n_visitors dim"], chunk: _Chunk, unit: Array | float
) -> tuple[Float[Array, "chunk dim"], ...]:
    """The edges' differences, and their own cells' rows of p if any, in the unit."""
    own = [array.at[chunk.rows].get(mode="promise_in_bounds") for array in points]
    ends = visitors.at[chunk.ends].get(mode="promise_in_bounds")
    return tuple(array * (1 / unit) for array in (ends - own[0], *own[1:]))
