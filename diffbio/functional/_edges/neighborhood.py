"""The neighbours of each cell: searched for, or listed by the caller."""

import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Bool, Float, Int, Integer

from diffbio import _checks
from diffbio._blocks import over_row_blocks, read_rows, write_rows
from diffbio._shards import AxisName, first_cell, n_cells_of_all, n_shards, values_at
from diffbio._types import AnyArray, StaticInteger
from diffbio.neighbors import Neighbors
from diffbio.neighbors._exact import search

__all__ = ["NeighborLists", "listed_neighbors", "neighborhood"]

# Cells whose lists are compared at once.
_BLOCK = 512

Indices = Int[Array, "n_cells n_neighbors"]
NeighborLists = Integer[AnyArray, "n_cells n_listed"] | Neighbors


def listed_neighbors(
    neighbor_indices: NeighborLists | None,
    n_neighbors: StaticInteger,
    x: Float[Array, "n_cells dim"],
    axis_name: AxisName,
) -> Integer[AnyArray, "n_cells n_listed"] | None:
    """The caller's lists, checked; None, with ``n_neighbors`` checked, if there are none."""
    n_cells = n_cells_of_all(x.shape[0], axis_name)
    if neighbor_indices is None:
        _checks.neighbor_count(n_neighbors, n_cells)
        return None
    if isinstance(neighbor_indices, Neighbors):
        neighbor_indices = neighbor_indices.indices
    return _checks.neighbor_indices(neighbor_indices, x, n_cells)


def neighborhood(
    x: Float[Array, "n_cells dim"],
    listed: Int[Array, "n_cells n_listed"] | None,
    where: Bool[Array, " n_cells"] | None,
    n_neighbors: int,
    block_size: int | None,
    axis_name: AxisName,
) -> tuple[Int[Array, "n_cells k"], Bool[Array, "n_cells k"]]:
    """Neighbours of checked arguments, and which of them carry weight.

    In one shard the others are padding that points at the cell itself. Where there are
    several, no array is made for that: nobody reads the far end of an edge without weight.
    """
    if listed is None:
        indices = search(x, n_neighbors, where, block_size, axis_name).indices
        usable = _usable_neighbors(indices, where, axis_name)
    else:
        indices = listed
        usable = _usable_neighbors(indices, where, axis_name) & ~_repeats(indices)
    if n_shards(axis_name) > 1:
        return indices, usable
    return _padded_to_itself(indices, usable, axis_name), usable


def _usable_neighbors(
    indices: Indices, where: Bool[Array, " n_cells"] | None, axis_name: AxisName
) -> Array:
    """Which entries carry weight: not negative, not the cell itself, neither end masked."""
    own = _own_cells(indices, axis_name)
    n_cells = n_cells_of_all(indices.shape[0], axis_name)
    usable = (indices >= 0) & (indices != own) & (indices < n_cells)
    if where is None:
        return usable
    ends = _padded_to_itself(indices, usable, axis_name)
    return usable & where[:, None] & values_at(where, ends, axis_name)


def _repeats(indices: Indices) -> Bool[Array, "n_cells n_neighbors"]:
    """Which entries repeat an earlier one of their row: a row is a set of neighbours.

    Each entry is compared with all later ones of the row, for a block of cells at once. A sort of
    the rows would take several times as long.
    """

    def of_block(start: Int[Array, ""], _: Array, found: Array) -> Array:
        columns = read_rows(indices, start, block).T
        slots = jnp.arange(len(columns), dtype=jnp.int32)[:, None]

        def compare(slot: Int[Array, ""], repeated: Array) -> Array:
            return repeated | ((columns == columns[slot][None]) & (slots > slot))

        none = jnp.zeros_like(columns, bool)
        return write_rows(found, lax.fori_loop(0, len(columns) - 1, compare, none).T, start)

    block = min(_BLOCK, len(indices))
    return over_row_blocks(len(indices), block, of_block, jnp.zeros_like(indices, bool))


def _padded_to_itself(indices: Indices, usable: Array, axis_name: AxisName) -> Indices:
    """The indices, with entries that are not usable pointing at the cell itself."""
    return jnp.where(usable, indices, _own_cells(indices, axis_name))


def _own_cells(indices: Indices, axis_name: AxisName) -> Int[Array, "n_cells 1"]:
    n_cells = indices.shape[0]
    return jnp.arange(n_cells, dtype=indices.dtype)[:, None] + first_cell(n_cells, axis_name)
