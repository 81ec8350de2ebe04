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

from diffbio._blocks import over_row_blocks, rows_for, write_rows
from diffbio._numerics import in_accumulation_dtype, sums_over_last_axis, zeroed
from diffbio._platform import Platform, by_platform
from diffbio.neighbors._bounds import FAR, lower_bounds, search_columns
from diffbio.neighbors._selection import group_sizes, is_many, smallest_per_column, sorted_columns

__all__ = ["Neighbors", "search"]

# Candidates measured beside the k wanted ones and the cell itself: with them the
# bound on all other cells lies clear of the k-th distance in nearly every row. The
# bound is looser, and distances are closer to each other, in many dimensions.
# Distances are closer to each other among many neighbours, too.
_SPARE_CANDIDATES = 4
_DIMENSIONS_PER_SPARE_CANDIDATE = 64
_NEIGHBORS_PER_SPARE_CANDIDATE = 16


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
    search = functools.partial(_search_in_blocks, n_neighbors=n_neighbors, block_size=block_size)
    return by_platform(search, x, where)


def _search_in_blocks(
    platform: Platform,
    x: Float[Array, "n_cells dim"],
    where: Bool[Array, " n_cells"] | None,
    *,
    n_neighbors: int,
    block_size: int | None,
) -> Neighbors:
    n_cells, dim = x.shape
    n_candidates = min(n_neighbors + 1 + _spare_candidates(n_neighbors, dim), n_cells)
    block = min(block_size or _search_block_size(platform, n_cells, n_candidates * dim), n_cells)
    groups = group_sizes(platform, n_cells, n_candidates)
    scale, columns = search_columns(platform, x, where, math.prod(groups))

    def search_block(start: Int[Array, ""], _: Array, found: Neighbors) -> Neighbors:
        rows = start + jnp.arange(block, dtype=jnp.int32)
        bounds = lower_bounds(columns, start, block)
        candidates, bound = smallest_per_column(platform, bounds, n_candidates, groups)
        best = _nearest_candidates(platform, x, where, rows, candidates, n_neighbors)
        if n_candidates < n_cells:
            unproven = ~_are_proven(best.squared_distances[:, -1], scale, bound)
            best = _search_by_differences(platform, x, where, rows, unproven, best)
        return jax.tree.map(lambda whole, part: write_rows(whole, part, start), found, best)

    shape = (n_cells, n_neighbors)
    empty = Neighbors(jnp.zeros(shape, jnp.int32), jnp.zeros(shape, x.dtype))
    return over_row_blocks(n_cells, block, search_block, empty)


def _spare_candidates(n_neighbors: int, dim: int) -> int:
    return max(
        _SPARE_CANDIDATES,
        dim // _DIMENSIONS_PER_SPARE_CANDIDATE,
        n_neighbors // _NEIGHBORS_PER_SPARE_CANDIDATE,
    )


def _search_block_size(platform: Platform, n_cells: int, candidate_elements: int) -> int:
    """Rows per block.

    On a CPU the (n_cells, block) bounds stay near the cache, 16 MB in float32. On an
    accelerator they take up to 512 MB, or 512 rows. There the differences to a block's
    candidates are one array too, of up to 1 GB.
    """
    if platform is Platform.CPU:
        return rows_for(n_cells, budget=1 << 22, smallest=16, largest=64)
    rows = rows_for(n_cells, budget=1 << 27, smallest=512, largest=4096)
    return rows_for(candidate_elements, budget=1 << 28, smallest=16, largest=rows)


def _are_proven(
    farthest: Float[Array, " block"], scale: Float[Array, ""], bound: Float[Array, " block"]
) -> Bool[Array, " block"]:
    """Whether no cell outside of the candidates is nearer than the k-th, ``farthest`` one.

    If the k-th distance is infinite or NaN, its cell counts as no farther than any cell
    without a place. The proof is then that every cell outside is without a place.
    """
    scaled = jnp.where(jnp.isfinite(farthest), farthest / scale / scale, FAR)
    return scaled <= bound.astype(scaled.dtype)


def _nearest_candidates(
    platform: Platform,
    x: Float[Array, "n_cells dim"],
    where: Bool[Array, " n_cells"] | None,
    rows: Int[Array, " block"],
    candidates: Int[Array, "n_candidates block"],
    n_neighbors: int,
) -> Neighbors:
    """The nearest of the candidates, measured by differences and sorted."""
    cells = jnp.minimum(candidates, x.shape[0] - 1)
    distances = _measure(platform, x, rows, cells)
    valid = (cells == candidates) & (cells != rows[None])
    if where is not None:
        valid &= where[cells] & where[rows][None]
    found = (jnp.where(valid, cells, -1), jnp.where(valid, distances, jnp.inf))
    return Neighbors(*sorted_columns(_order(distances, valid), found, n_neighbors))


def _measure(
    platform: Platform,
    x: Float[Array, "n_cells dim"],
    rows: Int[Array, " block"],
    cells: Int[Array, "n_candidates block"],
) -> Float[Array, "n_candidates block"]:
    """The squared distances of the rows to their cells.

    Where a row has many cells, a CPU measures one row at a time. The differences of all rows
    would otherwise be the largest array of the search.
    """

    def measure(rows: Int[Array, "..."], cells: Int[Array, "..."]) -> Array:
        differences = _rows_of(x, cells) - _rows_of(x, rows)[None]
        return sums_over_last_axis(platform, _squares, differences)[0]

    if platform is Platform.CPU and is_many(len(cells)):
        return lax.map(lambda one: measure(*one), (rows, cells.T)).T
    return measure(rows, cells)


def _order(distances: Float[Array, "*shape"], valid: Bool[Array, "*shape"]) -> Array:
    """Keys to sort by: a cell that is no neighbour comes after every distance.

    A distance that is infinite or NaN counts as the largest float.
    """
    largest = jnp.finfo(distances.dtype).max
    return jnp.where(valid, jnp.where(distances <= largest, distances, largest), jnp.inf)


def _rows_of(x: Array, cells: Int[Array, "..."]) -> Array:
    return x.at[cells].get(mode="promise_in_bounds")


def _squares(differences: Array) -> tuple[Array]:
    return (differences * differences,)


def _search_by_differences(
    platform: Platform,
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
        (distances,) = sums_over_last_axis(platform, _squares, x - x[rows[at]][None])
        others = jnp.arange(x.shape[0], dtype=rows.dtype) != rows[at]
        if where is not None:
            others &= where
        _, cells = lax.top_k(-_order(distances, others), n_neighbors)
        valid = others[cells]
        found = Neighbors(jnp.where(valid, cells, -1), jnp.where(valid, distances[cells], jnp.inf))
        best = jax.tree.map(lambda whole, row: whole.at[at].set(row), best, found)
        return unproven.at[at].set(False), best

    return lax.while_loop(lambda state: jnp.any(state[0]), search_one, (unproven, best))[1]
