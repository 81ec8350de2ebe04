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

from diffbio._blocks import over_row_blocks, read_rows, rows_for, varying_alike, write_rows
from diffbio._numerics import in_accumulation_dtype, sums_over_last_axis, zeroed
from diffbio._platform import Platform, by_platform
from diffbio._shards import AxisName, around_ring, first_cell, n_shards, part_size
from diffbio.neighbors._bounds import FAR, Frame, frame_of, lower_bounds, search_columns
from diffbio.neighbors._selection import group_sizes, is_many, smallest_per_column, sorted_columns

__all__ = ["Neighbors", "search"]

# Candidates measured beside the k wanted ones and the cell itself: with them the
# bound on all other cells lies clear of the k-th distance in nearly every row. The
# bound is looser, and distances are closer to each other, in many dimensions.
# Distances are closer to each other among many neighbours, too.
_SPARE_CANDIDATES = 4
_DIMENSIONS_PER_SPARE_CANDIDATE = 64
_NEIGHBORS_PER_SPARE_CANDIDATE = 16
# A shard visits the others in so many pieces, or fewer if they would be smaller. The smaller a
# piece, the less room its visit takes, and the more the selection costs beside the product.
_PIECES = 8
_SMALLEST_PIECE = 1024


class Neighbors(NamedTuple):
    """The nearest other cells of each cell, nearest first.

    Attributes:
        indices: ``(n_cells, n_neighbors)`` int32; -1 where there are too few cells.
        squared_distances: ``(n_cells, n_neighbors)`` squared Euclidean distances, in
            the squared unit of the input; infinite where there are too few cells.
    """

    indices: Int[Array, "n_cells n_neighbors"]
    squared_distances: Float[Array, "n_cells n_neighbors"]


class _Cells(NamedTuple):
    """The cells of a shard, or of a part of it.

    Attributes:
        x: ``(n_cells, dim)`` points.
        where: the cells that are anybody's neighbours and have any; None for all.
        first: the first cell's index among the cells of all shards.
    """

    x: Float[Array, "n_cells dim"]
    where: Bool[Array, " n_cells"] | None
    first: Int[Array, ""] | int


@functools.partial(jax.jit, static_argnames=("n_neighbors", "block_size", "axis_name"))
def search(
    x: Float[Array, "n_cells dim"],
    n_neighbors: int,
    where: Bool[Array, " n_cells"] | None,
    block_size: int | None,
    axis_name: AxisName = None,
) -> Neighbors:
    """The nearest neighbours of checked arguments; see ``diffbio.neighbors``.

    With an axis name they are searched among the cells of all shards, whose points visit in
    pieces. What was found so far is merged with what each piece holds. A row's k-th distance
    so far is the one that the piece's bounds are held against.
    """
    (x,) = in_accumulation_dtype(zeroed(lax.stop_gradient(x), where))
    search = functools.partial(
        _search_in_shards, n_neighbors=n_neighbors, block_size=block_size, axis_name=axis_name
    )
    return by_platform(search, x, where)


def _search_in_shards(
    platform: Platform,
    x: Float[Array, "n_cells dim"],
    where: Bool[Array, " n_cells"] | None,
    *,
    n_neighbors: int,
    block_size: int | None,
    axis_name: AxisName,
) -> Neighbors:
    n_cells = len(x)
    own = _Cells(x, where, first_cell(n_cells, axis_name))
    frame = frame_of(x, where, axis_name)
    shape = (n_cells, n_neighbors)
    found = Neighbors(jnp.full(shape, -1, jnp.int32), jnp.full(shape, jnp.inf, x.dtype))
    if n_shards(axis_name) == 1:
        return _search_among(platform, own, own, frame, found, block_size)
    piece = part_size(n_cells, _PIECES, _SMALLEST_PIECE)

    def search_piece(start: Int[Array, ""], fresh: Array, found: Neighbors) -> Neighbors:
        def step(
            first: Int[Array, ""] | int, visiting: tuple[Array, Array], found: Neighbors
        ) -> tuple[tuple[Array, Array], Neighbors]:
            others = _Cells(*visiting, first + start)
            return visiting, _search_among(platform, own, others, frame, found, block_size)

        present = fresh if where is None else fresh & read_rows(where, start, piece)
        visiting = (read_rows(x, start, piece), present)
        return around_ring(step, visiting, found, n_cells, axis_name)[1]

    return over_row_blocks(n_cells, piece, search_piece, varying_alike((x, found))[1])


def _search_among(
    platform: Platform,
    own: _Cells,
    others: _Cells,
    frame: Frame,
    found: Neighbors,
    block_size: int | None,
) -> Neighbors:
    """The nearest of what was found so far and of the other cells, for each own cell.

    If the others are the own cells, nothing was found so far.
    """
    (n_own, dim), n_others = own.x.shape, len(others.x)
    n_neighbors = found.indices.shape[1]
    n_candidates = min(n_neighbors + 1 + _spare_candidates(n_neighbors, dim), n_others)
    block = min(block_size or _search_block_size(platform, n_others, n_candidates * dim), n_own)
    groups = group_sizes(platform, n_others, n_candidates)
    columns = search_columns(platform, others.x, others.where, frame, math.prod(groups))

    def search_block(start: Int[Array, ""], fresh: Array, found: Neighbors) -> Neighbors:
        rows = start + jnp.arange(block, dtype=jnp.int32)
        if own is others:
            before, own_columns = None, read_rows(columns, start, block)
        else:
            before = jax.tree.map(lambda whole: read_rows(whole, start, block), found)
            part = None if own.where is None else read_rows(own.where, start, block)
            own_columns = search_columns(platform, read_rows(own.x, start, block), part, frame, 1)
        bounds = lower_bounds(columns, own_columns)
        candidates, bound = smallest_per_column(platform, bounds, n_candidates, groups)
        best = _nearest_candidates(platform, own, others, rows, candidates, n_neighbors, before)
        if n_candidates < n_others:
            unproven = ~_are_proven(best.squared_distances[:, -1], frame.scale, bound)
            best = _search_by_differences(platform, own, others, rows, unproven, best, before)
        if before is not None:
            # A row that an earlier block held has met these others.
            best = jax.tree.map(lambda a, b: jnp.where(fresh[:, None], a, b), best, before)
        return jax.tree.map(lambda whole, part: write_rows(whole, part, start), found, best)

    return over_row_blocks(n_own, block, search_block, found)


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
    own: _Cells,
    others: _Cells,
    rows: Int[Array, " block"],
    candidates: Int[Array, "n_candidates block"],
    n_neighbors: int,
    before: Neighbors | None,
) -> Neighbors:
    """The nearest of the candidates, measured by differences, and of those found before."""
    cells = jnp.minimum(candidates, len(others.x) - 1)
    distances = _measure(platform, own.x, others.x, rows, cells)
    valid = (cells == candidates) & (cells + (others.first - own.first) != rows[None])
    if others.where is not None:
        valid &= others.where[cells]
    if own.where is not None:
        valid &= own.where[rows][None]
    found = _found(cells, distances, valid, others)
    order = _order(distances, valid)
    if before is not None:
        found = jax.tree.map(lambda first, last: jnp.concatenate([first.T, last]), before, found)
        order = _order(found.squared_distances, found.indices >= 0)
    return Neighbors(*sorted_columns(order, tuple(found), n_neighbors))


def _found(cells: Array, distances: Array, valid: Array, others: _Cells) -> Neighbors:
    """The valid cells, by their indices among the cells of all shards."""
    return Neighbors(
        jnp.where(valid, cells + others.first, -1), jnp.where(valid, distances, jnp.inf)
    )


def _measure(
    platform: Platform,
    own: Float[Array, "n_cells dim"],
    others: Float[Array, "n_others dim"],
    rows: Int[Array, " block"],
    cells: Int[Array, "n_candidates block"],
) -> Float[Array, "n_candidates block"]:
    """The squared distances of the own rows to their cells among the others.

    Where a row has many cells, a CPU measures one row at a time. The differences of all rows
    would otherwise be the largest array of the search.
    """

    def measure(rows: Int[Array, "..."], cells: Int[Array, "..."]) -> Array:
        differences = _rows_of(others, cells) - _rows_of(own, rows)[None]
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
    own: _Cells,
    others: _Cells,
    rows: Int[Array, " block"],
    unproven: Bool[Array, " block"],
    best: Neighbors,
    before: Neighbors | None,
) -> Neighbors:
    """Search the unproven rows again, one at a time, over the differences to all others."""
    n_others, n_neighbors = len(others.x), best.indices.shape[1]

    def search_one(
        state: tuple[Bool[Array, " block"], Neighbors],
    ) -> tuple[Bool[Array, " block"], Neighbors]:
        unproven, best = state
        at = jnp.argmax(unproven)
        (distances,) = sums_over_last_axis(platform, _squares, others.x - own.x[rows[at]][None])
        usable = jnp.arange(n_others, dtype=rows.dtype) + (others.first - own.first) != rows[at]
        if others.where is not None:
            usable &= others.where
        _, cells = lax.top_k(-_order(distances, usable), min(n_neighbors, n_others))
        found = _found(cells, distances[cells], usable[cells], others)
        if before is not None:
            found = jax.tree.map(lambda a, b: jnp.concatenate([a[at], b]), before, found)
            order = _order(found.squared_distances, found.indices >= 0)
            nearest = lax.top_k(-order, n_neighbors)[1]
            found = jax.tree.map(lambda row: row[nearest], found)
        best = jax.tree.map(lambda whole, row: whole.at[at].set(row), best, found)
        return unproven.at[at].set(False), best

    return lax.while_loop(lambda state: jnp.any(state[0]), search_one, (unproven, best))[1]
