"""Exact search in blocks of rows.

A block of rows is searched in float32 with one matrix product whose entries are
*lower bounds* of the squared distances. The few best candidates are then measured
again by differences, in the precision of the input. The bounds prove for nearly
every row that no other cell can be nearer; a row without that proof is searched
once more by differences alone.
"""

import functools
import math
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Bool, Float, Int

from diffbio._blocks import over_row_blocks, read_rows, rows_for, write_rows
from diffbio._numerics import in_accumulation_dtype, n_counted, sums_over_last_axis, zeroed
from diffbio.neighbors._selection import group_sizes, smallest_per_column

__all__ = ["Neighbors", "search"]

# Candidates measured beside the k wanted ones and the cell itself: with them the
# bound on all other cells lies clear of the k-th distance in nearly every row. The
# bound is looser, and distances are closer to each other, in many dimensions.
_SPARE_CANDIDATES = 4
_DIMENSIONS_PER_SPARE_CANDIDATE = 64
# Rows at a time when the product's rows are made: a second array of all of them is spared.
_COLUMN_BLOCK = 4096


class Neighbors(NamedTuple):
    """The nearest other cells of each cell, nearest first.

    Attributes:
        indices: ``(n_cells, n_neighbors)`` int32; -1 where there are too few cells.
        squared_distances: ``(n_cells, n_neighbors)`` squared Euclidean distances, in
            the squared unit of the input; infinite where there are too few cells.
    """

    indices: Int[Array, "n_cells n_neighbors"]
    squared_distances: Float[Array, "n_cells n_neighbors"]


@functools.partial(jax.jit, static_argnames=("n_neighbors", "block_size"))
def search(
    x: Float[Array, "n_cells dim"],
    n_neighbors: int,
    where: Bool[Array, " n_cells"] | None,
    block_size: int | None,
) -> Neighbors:
    """The nearest neighbours of checked arguments; see ``diffbio.neighbors``."""
    (x,) = in_accumulation_dtype(zeroed(lax.stop_gradient(x), where))
    n_cells = x.shape[0]
    block = min(block_size or _search_block_size(n_cells), n_cells)
    spare = max(_SPARE_CANDIDATES, x.shape[1] // _DIMENSIONS_PER_SPARE_CANDIDATE)
    n_candidates = min(n_neighbors + 1 + spare, n_cells)
    groups = group_sizes(n_cells, n_candidates)
    scale, columns = _search_columns(x, where, math.prod(groups))

    def search_block(start: Int[Array, ""], _: Array, found: Neighbors) -> Neighbors:
        rows = start + jnp.arange(block, dtype=jnp.int32)
        bounds = _lower_bounds(columns, start, block)
        candidates, bound = smallest_per_column(bounds, n_candidates, groups)
        best = _nearest_candidates(x, where, rows, candidates, n_neighbors)
        if n_candidates < n_cells:
            unproven = best.squared_distances[:, -1] / scale / scale > bound.astype(x.dtype)
            best = _search_by_differences(x, where, rows, unproven, best)
        return jax.tree.map(lambda whole, part: write_rows(whole, part, start), found, best)

    shape = (n_cells, n_neighbors)
    empty = Neighbors(jnp.zeros(shape, jnp.int32), jnp.zeros(shape, x.dtype))
    return over_row_blocks(n_cells, block, search_block, empty)


def _search_block_size(n_cells: int) -> int:
    """Rows per block: the (n_cells, block) bounds stay near the cache, 16 MB in float32."""
    return rows_for(n_cells, budget=1 << 22, smallest=16, largest=64)


def _search_columns(
    x: Float[Array, "n_cells dim"], where: Bool[Array, " n_cells"] | None, multiple: int
) -> tuple[Float[Array, ""], Float[Array, "n_padded dim_plus_2"]]:
    """Rows ``[-2 z, n, 1]`` of the bounds' product, for centred and scaled float32 data z.

    ``n = (1 - slack) |z|^2`` with a slack above every rounding error of the product, the
    norms, the centring and the cast to float32 (first-order bounds, any order of
    summation). Masked cells, and the padding to a ``multiple``, get an infinite norm.

    Returns:
        The scale that x was divided by, and the rows.
    """
    n_cells, dim = x.shape
    centre = jnp.sum(x, axis=0) / n_counted(x, where)
    scale = _largest_deviation(x, where, centre)
    slack = (3 * dim + 20) * jnp.finfo(jnp.float32).eps / 2
    block = min(n_cells, _COLUMN_BLOCK)

    def step(start: Int[Array, ""], _: Array, columns: Array) -> Array:
        z = ((read_rows(x, start, block) - centre[None]) / scale).astype(jnp.float32)
        norms = (1 - slack) * jnp.sum(z * z, axis=1)
        if where is not None:
            counted = read_rows(where, start, block)
            z, norms = zeroed(z, counted), jnp.where(counted, norms, jnp.inf)
        rows = jnp.concatenate([-2 * z, norms[:, None], jnp.ones_like(norms)[:, None]], axis=1)
        return write_rows(columns, rows, start)

    padding = jnp.zeros(dim + 2, jnp.float32).at[dim].set(jnp.inf).at[dim + 1].set(1)
    columns = jnp.broadcast_to(padding, (n_cells + -n_cells % multiple, dim + 2))
    return scale, over_row_blocks(n_cells, block, step, columns)


def _largest_deviation(
    x: Float[Array, "n_cells dim"], where: Bool[Array, " n_cells"] | None, centre: Array
) -> Float[Array, ""]:
    """``max |x - centre|`` from the extremes of x, without the array of differences; 1 for 0."""
    rows = None if where is None else where[:, None]
    highest = jnp.max(x, axis=0, where=rows, initial=-jnp.inf)
    lowest = jnp.min(x, axis=0, where=rows, initial=jnp.inf)
    largest = jnp.max(jnp.maximum(highest - centre, centre - lowest))
    return jnp.where(jnp.isfinite(largest) & (largest > 0), largest, 1)


def _lower_bounds(
    columns: Float[Array, "n_padded dim_plus_2"], start: Int[Array, ""], block: int
) -> Float[Array, "n_padded block"]:
    """No more than ``|z_j - z_i|^2``, for all cells j and the block's cells i.

    One product of ``[-2 z_j, n_j, 1]`` with ``[z_i, 1, n_i]``: the norms ride along as
    two more columns, so that no second pass over the block adds them.
    """
    own = read_rows(columns, start, block)
    query = jnp.concatenate([-own[:, :-2] / 2, own[:, -1:], own[:, -2:-1]], axis=1)
    return jnp.dot(columns, query.T, precision=lax.Precision.HIGHEST)


def _nearest_candidates(
    x: Float[Array, "n_cells dim"],
    where: Bool[Array, " n_cells"] | None,
    rows: Int[Array, " block"],
    candidates: Int[Array, "n_candidates block"],
    n_neighbors: int,
) -> Neighbors:
    """The nearest of the candidates, measured by differences and sorted.

    Sorting a few entries of many rows is done by counting: an entry's place is the
    number of entries before it, all compared at once.
    """
    cells = jnp.minimum(candidates, x.shape[0] - 1)
    (distances,) = sums_over_last_axis(_squares, _rows_of(x, cells) - _rows_of(x, rows)[None])
    valid = (cells == candidates) & (cells != rows[None])
    if where is not None:
        valid &= where[cells] & where[rows][None]

    # What is no neighbour comes after every distance, though that be infinite or NaN.
    finite = jnp.nan_to_num(distances, nan=jnp.finfo(distances.dtype).max)
    order = jnp.where(valid, finite, jnp.inf)
    entry = jnp.arange(cells.shape[0])[:, None]
    nearer = order[:, None] < order[None]
    nearer |= (order[:, None] == order[None]) & (entry[:, None] < entry[None])
    place = jnp.sum(nearer, axis=0)

    def in_order(values: Array) -> Array:
        chosen = place[None] == jnp.arange(n_neighbors)[:, None, None]
        return jnp.sum(jnp.where(chosen, values[None], 0), axis=1, dtype=values.dtype).T

    return Neighbors(
        in_order(jnp.where(valid, cells, -1)), in_order(jnp.where(valid, distances, jnp.inf))
    )


def _rows_of(x: Array, cells: Int[Array, "..."]) -> Array:
    return x.at[cells].get(mode="promise_in_bounds")


def _squares(differences: Array) -> tuple[Array]:
    return (differences * differences,)


def _search_by_differences(
    x: Float[Array, "n_cells dim"],
    where: Bool[Array, " n_cells"] | None,
    rows: Int[Array, " block"],
    unproven: Bool[Array, " block"],
    best: Neighbors,
) -> Neighbors:
    """Search the unproven rows again, one at a time, over the differences to all cells."""
    n_neighbors = best.indices.shape[1]

    def search_one(
        state: tuple[Bool[Array, " block"], Neighbors],
    ) -> tuple[Bool[Array, " block"], Neighbors]:
        unproven, best = state
        at = jnp.argmax(unproven)
        (distances,) = sums_over_last_axis(_squares, x - x[rows[at]][None])
        others = jnp.arange(x.shape[0], dtype=rows.dtype) != rows[at]
        if where is not None:
            others &= where
        negated, cells = lax.top_k(jnp.where(others, -distances, -jnp.inf), n_neighbors)
        found = Neighbors(jnp.where(others[cells], cells, -1), -negated)
        best = jax.tree.map(lambda whole, row: whole.at[at].set(row), best, found)
        return unproven.at[at].set(False), best

    return lax.while_loop(lambda state: jnp.any(state[0]), search_one, (unproven, best))[1]
