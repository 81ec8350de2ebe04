"""The order in which edges are worked on whose far ends lie in other shards.

The points of every shard go round the ring in pieces. An edge is worked on while the piece
that holds its far end is here.
"""

from collections.abc import Callable
from typing import Any, NamedTuple, TypeVar

import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Bool, Float, Int

from diffbio._blocks import over_row_blocks, read_rows, rows_for
from diffbio._shards import AxisName, around_ring, part_size

__all__ = ["Chunk", "Group", "over_visits"]

Carry = TypeVar("Carry")

_PIECES = 16
_SMALLEST_PIECE = 256


class Group(NamedTuple):
    """Some cells of this shard, and their edges sorted by the far ends.

    Attributes:
        indices: the far ends of the edges of all cells of this shard.
        start: the first cell of the group.
        order: the numbers of the group's edges, counted through ``(n_neighbors, group)``.
    """

    indices: Int[Array, "n_cells n_neighbors"]
    start: Int[Array, ""]
    order: Int[Array, " n_edges"]

    @classmethod
    def of(
        cls, indices: Int[Array, "n_cells n_neighbors"], start: Int[Array, ""], size: int
    ) -> "Group":
        """The group of ``size`` cells from ``start`` on."""
        ends = read_rows(indices, start, size).T.reshape(-1)
        numbers = jnp.arange(ends.size, dtype=jnp.int32)
        return cls(indices, start, lax.sort((ends, numbers), num_keys=1)[1])

    def slots_and_rows(
        self, numbers: Int[Array, "*shape"]
    ) -> tuple[Int[Array, "*shape"], Int[Array, "*shape"]]:
        """The column and the row in ``indices`` of edges with these numbers."""
        size = self.order.size // self.indices.shape[1]
        return numbers // size, self.start + numbers % size

    def n_before(self, cell: Int[Array, ""]) -> Int[Array, ""]:
        """How many edges have far ends before the cell, by bisection."""
        n_edges = self.order.size

        def halve(_: Array | int, state: tuple[Array, Array]) -> tuple[Array, Array]:
            low, high = state
            middle = (low + high) // 2
            slot, row = self.slots_and_rows(self.order[middle])
            before = (low < high) & (self.indices[row, slot] < cell)
            return jnp.where(before, middle + 1, low), jnp.where(before, high, middle)

        zero = jnp.zeros_like(self.order, shape=())
        return lax.fori_loop(0, n_edges.bit_length(), halve, (zero, zero + n_edges))[0]


class Chunk(NamedTuple):
    """Some edges whose far ends are in the piece that is here.

    Attributes:
        numbers: of the edges in the group; beyond all edges where there is no edge.
        slots: the columns of the edges in ``indices``.
        rows: the rows, which are the near ends.
        ends: the far ends, as rows of the piece.
        valid: where there is an edge.
    """

    numbers: Int[Array, " chunk"]
    slots: Int[Array, " chunk"]
    rows: Int[Array, " chunk"]
    ends: Int[Array, " chunk"]
    valid: Bool[Array, " chunk"]


def over_visits(
    fold: Callable[[Array, Chunk, Any, Carry], tuple[Any, Carry]],
    add_returned: Callable[[Any, Int[Array, ""], Carry], Carry] | None,
    group: Group,
    x: Float[Array, "n_cells dim"],
    carry: Carry,
    axis_name: AxisName,
) -> Carry:
    """Fold over all edges of a group, in chunks, while pieces of all shards go round.

    Args:
        fold: maps a piece, a chunk of edges that end in it, the cotangents of the piece and
            carry to the next cotangents and carry.
        add_returned: maps the cotangents of a piece of this shard, after their way round the
            ring, the row that the piece starts at, and carry to the next carry. Cotangents
            start as zeros. None: there are no cotangents.
        group: the group.
        x: the points that go round.
        carry: what stays.
        axis_name: the axis of the mesh.
    """
    n_cells, dim = x.shape
    piece = part_size(n_cells, _PIECES, _SMALLEST_PIECE)

    def send_round(start: Int[Array, ""], fresh: Array, carry: Carry) -> Carry:
        n_stale = piece - jnp.sum(fresh, dtype=jnp.int32)

        def meet(
            first: Int[Array, ""], visiting: tuple[Array, Any], carry: Carry
        ) -> tuple[tuple[Array, Any], Carry]:
            visitors, cotangents = visiting
            first = first + start
            begin, end = group.n_before(first + n_stale), group.n_before(first + piece)
            size = _chunk_size(group, dim)

            def step(count: Int[Array, ""], state: tuple[Any, Carry]) -> tuple[Any, Carry]:
                positions = begin + count * size + jnp.arange(size, dtype=jnp.int32)
                return fold(visitors, _chunk(group, positions, end, first), *state)

            n_chunks = (end - begin + size - 1) // size
            cotangents, carry = lax.fori_loop(jnp.int32(0), n_chunks, step, (cotangents, carry))
            return (visitors, cotangents), carry

        visitors = read_rows(x, start, piece)
        cotangents = None if add_returned is None else jnp.zeros_like(visitors)
        (_, cotangents), carry = around_ring(
            meet, (visitors, cotangents), carry, n_cells, axis_name
        )
        return carry if add_returned is None else add_returned(cotangents, start, carry)

    return over_row_blocks(n_cells, piece, send_round, carry)


def _chunk_size(group: Group, dim: int) -> int:
    return min(rows_for(dim, budget=1 << 14, smallest=16, largest=512), group.order.size)


def _chunk(
    group: Group, positions: Int[Array, " chunk"], end: Int[Array, ""], first: Int[Array, ""]
) -> Chunk:
    """The edges at these positions of the order, up to ``end``, for a piece from ``first`` on."""
    valid = positions < end
    numbers = group.order[jnp.where(valid, positions, 0)]
    slots, rows = group.slots_and_rows(numbers)
    ends = jnp.where(valid, group.indices[rows, slots] - first, 0)
    return Chunk(jnp.where(valid, numbers, group.order.size), slots, rows, ends, valid)
