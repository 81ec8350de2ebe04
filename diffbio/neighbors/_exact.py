"""Exact search in blocks of rows.

A block of rows is searched in float32 with one matrix product whose entries are
*lower bounds* of the squared distances. The few best candidates are then measured
again by differences, in the precision of the input. The bounds prove for nearly
every row that no other cell can be nearer; a row without that proof is searched
once more by differences alone.
"""

import functools
import math

import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Bool, Float, Int

from diffbio._blocks import over_row_blocks, read_rows, rows_for, varying_alike, write_rows
from diffbio._numerics import in_accumulation_dtype, zeroed
from diffbio._platform import Platform, by_platform
from diffbio._shards import AxisName, around_ring, first_cell, n_shards, part_size
from diffbio.neighbors._bounds import (
    FAR,
    Normalization,
    factor_rows,
    lower_bounds,
    normalization_of,
)
from diffbio.neighbors._keys import is_measured, squared_distance
from diffbio.neighbors._measured import (
    Cells,
    Neighbors,
    Ranked,
    nearest_candidates,
    rows_without_digits,
    search_by_differences,
)
from diffbio.neighbors._selection import group_sizes, smallest_per_column

__all__ = ["search"]

# Candidates that are measured in addition to k neighbours and the cell itself. With them the
# bound on all other cells is larger than the k-th distance in nearly every row. More are
# needed in many dimensions, where the bound is looser and distances differ less, and for
# many neighbours, whose distances differ less too.
_SPARE_CANDIDATES = 4
_DIMENSIONS_PER_SPARE_CANDIDATE = 64
_NEIGHBORS_PER_SPARE_CANDIDATE = 16
# A shard sends its cells to the others in this number of pieces, or in fewer, so that a piece has
# at least the second number of cells. A smaller piece takes less memory on the other devices.
# But each piece has a selection of its own, whose cost beside the product then grows.
_PIECES = 8
_SMALLEST_PIECE = 1024


@functools.partial(jax.jit, static_argnames=("n_neighbors", "block_size", "axis_name"))
def search(
    x: Float[Array, "n_cells dim"],
    n_neighbors: int,
    where: Bool[Array, " n_cells"] | None,
    block_size: int | None,
    axis_name: AxisName = None,
) -> Neighbors:
    """The nearest neighbours of checked arguments; see ``diffbio.neighbors``.

    With an axis name they are searched among the cells of all shards, which arrive in pieces.
    The neighbours found so far are merged with those in each piece, and the piece's bounds are
    compared with the k-th distance of both.
    """
    # N_k(i) = argmin^k_{j != i} |x_i - x_j|^2
    (x,) = in_accumulation_dtype(zeroed(lax.stop_gradient(x), where))
    normalization = normalization_of(x, where, axis_name)
    search = functools.partial(
        _search_in_shards, n_neighbors=n_neighbors, block_size=block_size, axis_name=axis_name
    )
    found = by_platform(search, x, where, normalization)
    return Neighbors(found.indices, squared_distance(found.keys, normalization.unit))


def _search_in_shards(
    platform: Platform,
    x: Float[Array, "n_cells dim"],
    where: Bool[Array, " n_cells"] | None,
    normalization: Normalization,
    *,
    n_neighbors: int,
    block_size: int | None,
    axis_name: AxisName,
) -> Ranked:
    n_cells = len(x)
    own = Cells(x, where, first_cell(n_cells, axis_name))
    shape = (n_cells, n_neighbors)
    found = Ranked(jnp.full(shape, -1, jnp.int32), jnp.full(shape, jnp.inf, x.dtype))
    if n_shards(axis_name) == 1:
        return _search_among(platform, own, own, normalization, found, block_size)
    piece = part_size(n_cells, _PIECES, _SMALLEST_PIECE)

    def search_piece(start: Int[Array, ""], fresh: Array, found: Ranked) -> Ranked:
        def step(
            first: Int[Array, ""], visiting: tuple[Array, Array], found: Ranked
        ) -> tuple[tuple[Array, Array], Ranked]:
            others = Cells(*visiting, first + start)
            return visiting, _search_among(platform, own, others, normalization, found, block_size)

        present = fresh if where is None else fresh & read_rows(where, start, piece)
        visiting = (read_rows(x, start, piece), present)
        return around_ring(step, visiting, found, n_cells, axis_name)[1]

    return over_row_blocks(n_cells, piece, search_piece, varying_alike((x, found))[1])


def _search_among(
    platform: Platform,
    own: Cells,
    others: Cells,
    normalization: Normalization,
    found: Ranked,
    block_size: int | None,
) -> Ranked:
    """The nearest of what was found so far and of the other cells, for each own cell.

    If the others are the own cells, nothing was found so far.
    """
    (n_own, dim), n_others = own.x.shape, len(others.x)
    n_neighbors = found.indices.shape[1]
    n_candidates = min(n_neighbors + 1 + _spare_candidates(n_neighbors, dim), n_others)
    block = min(block_size or _search_block_size(platform, n_others, n_candidates * dim), n_own)
    groups = group_sizes(platform, n_others, n_candidates)
    factor = factor_rows(platform, others.x, others.where, normalization, math.prod(groups))

    def by_bounds(start: Int[Array, ""], before: Ranked | None) -> tuple[Ranked, Array]:
        """The nearest of the best candidates, and the rows in which others may be nearer."""
        # b_ji <= |z_j - z_i|^2            lower bounds, for all cells j and the block's cells i
        # C_i   = argmin^m_j b_ji          candidates, m > k
        # N_i   = argmin^k_{j in C_i} |x_j - x_i|^2
        # N_i is proven if max_{j in N_i} |x_j - x_i|^2 / unit^2 <= min_{j not in C_i} b_ji
        if own is others:
            own_rows = read_rows(factor, start, block)
        else:
            part = None if own.where is None else read_rows(own.where, start, block)
            own_rows = factor_rows(platform, read_rows(own.x, start, block), part, normalization, 1)
        bounds = lower_bounds(factor, own_rows)
        candidates, bound = smallest_per_column(platform, bounds, n_candidates, groups)
        rows = _rows(start, block)
        best = nearest_candidates(
            platform, own, others, rows, candidates, n_neighbors, normalization.unit, before
        )
        proven = _are_proven(best.keys[:, -1], bound)
        return best, ~proven | rows_without_digits(platform, own, others, rows, best)

    def search_block(start: Int[Array, ""], fresh: Array, found: Ranked) -> Ranked:
        block_of_found = jax.tree.map(lambda whole: read_rows(whole, start, block), found)
        before = None if own is others else block_of_found
        if n_candidates < n_others:
            best, unproven = by_bounds(start, before)
        else:
            best, unproven = block_of_found, jnp.ones_like(fresh)
        best = search_by_differences(
            platform, own, others, _rows(start, block), unproven, best, normalization.unit, before
        )
        if before is not None:
            # A row that is in an earlier block too was merged with these others there.
            best = jax.tree.map(lambda a, b: jnp.where(fresh[:, None], a, b), best, before)
        return jax.tree.map(lambda whole, part: write_rows(whole, part, start), found, best)

    return over_row_blocks(n_own, block, search_block, found)


def _rows(start: Int[Array, ""], block: int) -> Int[Array, " block"]:
    return start + jnp.arange(block, dtype=jnp.int32)


def _spare_candidates(n_neighbors: int, dim: int) -> int:
    """Candidates that are measured in addition to k neighbours and the cell itself."""
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
    farthest: Float[Array, " block"], bound: Float[Array, " block"]
) -> Bool[Array, " block"]:
    """Whether no cell outside of the candidates is nearer than the k-th, ``farthest`` one.

    If the k-th distance is infinite, its cell counts as no farther than any non-finite cell. The
    proof is then that every cell outside is non-finite. A key that is no square proves nothing:
    so small a bound may lack digits, because numbers were flushed to 0.
    """
    farthest = jnp.where(jnp.isfinite(farthest), farthest, FAR)
    return is_measured(farthest) & (farthest <= bound.astype(farthest.dtype))
