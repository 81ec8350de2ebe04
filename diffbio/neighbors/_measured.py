"""The nearest of some cells, measured by differences in the precision of the input."""

from collections.abc import Callable
from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Bool, Float, Int, Shaped

from diffbio._numerics import sums_over_last_axis
from diffbio._platform import Platform
from diffbio.neighbors._keys import is_measured, key_of, key_of_differences, loses_digits
from diffbio.neighbors._selection import is_many, sorted_columns

__all__ = [
    "Cells",
    "Neighbors",
    "Ranked",
    "nearest_candidates",
    "rows_without_digits",
    "search_by_differences",
]


class Neighbors(NamedTuple):
    """The nearest other cells of each cell, nearest first.

    Attributes:
        indices: ``(n_cells, n_neighbors)`` int32; -1 where there are too few cells.
        squared_distances: ``(n_cells, n_neighbors)`` squared Euclidean distances, in
            the squared unit of the input; infinite where there are too few cells.

    Example:
        >>> import jax.numpy as jnp
        >>> from diffbio.neighbors import nearest_neighbors
        >>> found = nearest_neighbors(jnp.array([[0.0], [1.0], [3.0]]), 1)
        >>> found.squared_distances.tolist()
        [[1.0], [1.0], [4.0]]
    """

    indices: Int[Array, "n_cells n_neighbors"]
    squared_distances: Float[Array, "n_cells n_neighbors"]


class Ranked(NamedTuple):
    """The nearest cells so far, nearest first, and the keys of their distances; see ``_keys``."""

    indices: Int[Array, "n_cells n_neighbors"]
    keys: Float[Array, "n_cells n_neighbors"]


class Cells(NamedTuple):
    """The cells of a shard, or of a part of it.

    Attributes:
        x: ``(n_cells, dim)`` points.
        where: the unmasked cells. A masked cell is nobody's neighbour and has none. None if
            no cell is masked.
        first: the first cell's index among the cells of all shards.
    """

    x: Float[Array, "n_cells dim"]
    where: Bool[Array, " n_cells"] | None
    first: Int[Array, ""] | int


def nearest_candidates(
    platform: Platform,
    own: Cells,
    others: Cells,
    rows: Int[Array, " block"],
    candidates: Int[Array, "n_candidates block"],
    n_neighbors: int,
    unit: Float[Array, ""],
    before: Ranked | None = None,
) -> Ranked:
    """The nearest of the candidates, measured by differences in the unit, and of ``before``."""
    cells = jnp.minimum(candidates, len(others.x) - 1)
    valid = (cells == candidates) & (cells + (others.first - own.first) != rows[None])
    if others.where is not None:
        valid &= others.where[cells]
    if own.where is not None:
        valid &= own.where[rows][None]
    of_squares = partial(_sum_of_squares, platform)
    squares = _of_differences(platform, own, others, rows, cells, 1 / unit, of_squares)
    found = _found(cells, key_of(squares), valid, others)
    order = _order(found.keys, valid)
    # An accelerator would wait for the answer whether they are sorted in every round.
    nearly_sorted = platform is Platform.CPU and before is None
    if before is not None:
        found = jax.tree.map(lambda first, last: jnp.concatenate([first.T, last]), before, found)
        order = _order(found.keys, found.indices >= 0)
    return Ranked(*sorted_columns(order, tuple(found), n_neighbors, nearly_sorted=nearly_sorted))


def rows_without_digits(
    platform: Platform, own: Cells, others: Cells, rows: Int[Array, " block"], best: Ranked
) -> Bool[Array, " block"]:
    """The rows in which a square lost digits, so that the order of their keys may be wrong.

    A square of 0 is right between cells of equal coordinates. A row with keys that are no
    squares was searched by differences before, and must be searched by them again.
    """
    dim = own.x.shape[1]

    def of_block() -> Bool[Array, " block"]:
        positions = best.indices - others.first
        here = (positions >= 0) & (positions < len(others.x))
        cells = jnp.where(here, positions, 0)
        differ = _of_differences(platform, own, others, rows, cells.T, 1, _differ).T
        wrong = jnp.where(here, differ, ~is_measured(best.keys))
        return jnp.any(wrong & loses_digits(best.keys, dim), axis=1)

    some = loses_digits(best.keys[:, 0], dim)
    return lax.cond(jnp.any(some), of_block, lambda: jnp.zeros_like(some))


def search_by_differences(
    platform: Platform,
    own: Cells,
    others: Cells,
    rows: Int[Array, " block"],
    unproven: Bool[Array, " block"],
    best: Ranked,
    unit: Float[Array, ""],
    before: Ranked | None,
) -> Ranked:
    """Search the unproven rows again, one at a time, over the differences to all others."""
    n_others, n_neighbors = len(others.x), best.indices.shape[1]

    def search_one(
        state: tuple[Bool[Array, " block"], Ranked],
    ) -> tuple[Bool[Array, " block"], Ranked]:
        unproven, best = state
        at = jnp.argmax(unproven)
        usable = jnp.arange(n_others, dtype=rows.dtype) + (others.first - own.first) != rows[at]
        if others.where is not None:
            usable &= others.where
        if own.where is not None:
            usable &= own.where[rows[at]]
        keys = _keys_of_row(platform, own, others, rows[at], usable, unit)
        _, cells = lax.top_k(-_order(keys, usable), min(n_neighbors, n_others))
        found = _found(cells, keys[cells], usable[cells], others)
        if before is not None:
            found = jax.tree.map(lambda a, b: jnp.concatenate([a[at], b]), before, found)
            order = _order(found.keys, found.indices >= 0)
            nearest = lax.top_k(-order, n_neighbors)[1]
            found = jax.tree.map(lambda row: row[nearest], found)
        best = jax.tree.map(lambda whole, row: whole.at[at].set(row), best, found)
        return unproven.at[at].set(False), best

    return lax.while_loop(lambda state: jnp.any(state[0]), search_one, (unproven, best))[1]


def _keys_of_row(
    platform: Platform,
    own: Cells,
    others: Cells,
    row: Int[Array, ""],
    usable: Bool[Array, " n_others"],
    unit: Float[Array, ""],
) -> Float[Array, " n_others"]:
    """The keys of one cell's distances to all others."""

    def differences() -> Float[Array, "n_others dim"]:
        return others.x - own.x[row][None]

    squares = _sum_of_squares(platform, differences() * (1 / unit))
    return key_of_differences(squares, differences, usable, own.x.shape[1])


def _found(cells: Array, keys: Array, valid: Array, others: Cells) -> Ranked:
    """The valid cells, by their indices among the cells of all shards."""
    return Ranked(jnp.where(valid, cells + others.first, -1), jnp.where(valid, keys, jnp.inf))


def _of_differences(
    platform: Platform,
    own: Cells,
    others: Cells,
    rows: Int[Array, " block"],
    cells: Int[Array, "n_candidates block"],
    scale: Float[Array, ""] | int,
    reduction: Callable[[Array], Array],
) -> Shaped[Array, "n_candidates block"]:
    """``reduction(x_j - x_i)`` of the scaled coordinates, for the own rows i and their cells j.

    Coordinates are multiplied by the scale, a power of 2, before they are subtracted, so that
    XLA does both in one operation.

    Where a row has many cells, a CPU forms the differences of one row at a time. Those of all
    rows would otherwise be the largest array of the search.
    """

    def reduced(rows: Int[Array, "..."], cells: Int[Array, "..."]) -> Array:
        return reduction(_rows_of(others.x, cells) * scale - (_rows_of(own.x, rows) * scale)[None])

    if platform is Platform.CPU and is_many(len(cells)):
        return lax.map(lambda one: reduced(*one), (rows, cells.T)).T
    return reduced(rows, cells)


def _order(keys: Float[Array, "*shape"], valid: Bool[Array, "*shape"]) -> Array:
    """Numbers to sort by: a cell that is no neighbour comes after every key.

    A key that is infinite or NaN counts as the largest float.
    """
    largest = jnp.finfo(keys.dtype).max
    return jnp.where(valid, jnp.where(keys <= largest, keys, largest), jnp.inf)


def _rows_of(x: Array, cells: Int[Array, "..."]) -> Array:
    return x.at[cells].get(mode="promise_in_bounds")


def _sum_of_squares(platform: Platform, differences: Array) -> Float[Array, "..."]:
    return sums_over_last_axis(platform, lambda d: (d * d,), differences)[0]


def _differ(differences: Array) -> Bool[Array, "..."]:
    return jnp.any(differences != 0, axis=-1)
