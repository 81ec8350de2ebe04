"""Inverted lists: the cells by their nearest centroid, in a table of fixed width.

A list is a set of cells with the same nearest centroid. The table has rows of ``capacity``
cells, and a list takes as many rows as it needs, so that none is too long. A list's cells are
ordered by their second nearest centroid, so that the cells of a row lie on one side of it.
"""

import functools
import math

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jaxtyping import Array, Bool, Float, Int

from diffbio._blocks import over_row_blocks, read_rows, rows_for, write_rows
from diffbio._platform import Platform
from diffbio.neighbors._selection import group_sizes, smallest_per_column

__all__ = ["in_table", "nearest_lists", "sample_of"]

# The centroids are learned from this number of cells per list, in this number of steps.
_SAMPLES_PER_LIST = 64
_LLOYD_STEPS = 10
# Number of distances to centroids that are computed at once.
_BLOCK = {Platform.CPU: 1 << 20, Platform.ACCELERATOR: 1 << 27}
# A list of mean size has this number of rows in the table. With more, shorter rows fewer entries
# are empty, since a list's last row is half empty on average. With fewer, longer rows the matrix
# products are larger, and so faster.
_ROWS_PER_LIST = 8
_SMALLEST_CAPACITY, _LARGEST_CAPACITY = 16, 128


def sample_of(n_cells: int, n_lists: int, seed: int) -> Int[np.ndarray, " n_samples"]:
    """Cells to learn the centroids of the lists from, in random order."""
    count = min(_SAMPLES_PER_LIST * n_lists, n_cells)
    return np.random.default_rng(seed).choice(n_cells, count, replace=False)


@functools.partial(jax.jit, static_argnames=("n_lists", "platform"))
def nearest_lists(
    z: Float[Array, "n_cells dim"],
    sample: Int[Array, " n_samples"],
    n_lists: int,
    platform: Platform,
) -> Int[Array, "n_cells nearest"]:
    """The nearest list of every cell, and the second nearest if there are several lists.

    The lists' centroids are learned from the sample of cells, and start at its first ones.
    """
    n_cells = len(z)
    block = rows_for(n_lists, budget=_BLOCK[platform], smallest=16, largest=n_cells)
    sampled = z[sample].astype(jnp.float32)
    centroids = _k_means(platform, sampled, n_lists, min(block, len(sampled)))
    count = min(2, n_lists)

    def search(start: Int[Array, ""], _: Array, found: Array) -> Array:
        rows = read_rows(z, start, block).astype(jnp.float32)
        return write_rows(found, _nearest(platform, rows, centroids, count).T, start)

    return over_row_blocks(n_cells, block, search, jnp.zeros((n_cells, count), jnp.int32))


def _k_means(
    platform: Platform, sample: Float[Array, "n_samples dim"], n_lists: int, block: int
) -> Float[Array, "n_lists dim"]:
    """Centroids after some of Lloyd's steps from the first cells of the sample.

    The sums over a list's cells are a product with the one-hot assignments, which gives
    the same bits every time on every device. A centroid without cells stays where it is.
    """

    def step(_: Int[Array, ""], centroids: Array) -> Array:
        def add(start: Int[Array, ""], fresh: Bool[Array, " block"], sums: Array) -> Array:
            rows = read_rows(sample, start, block)
            (nearest,) = _nearest(platform, rows, centroids, 1)
            members = (nearest == jnp.arange(n_lists)[:, None]) & fresh
            ones = jnp.ones((block, 1), rows.dtype)
            return sums + _product(members.astype(rows.dtype), jnp.hstack([rows, ones]))

        sums = jnp.zeros((n_lists, sample.shape[1] + 1), sample.dtype)
        sums = over_row_blocks(len(sample), block, add, sums)
        counts = sums[:, -1:]
        return jnp.where(counts > 0, sums[:, :-1] / jnp.maximum(counts, 1), centroids)

    return lax.fori_loop(0, _LLOYD_STEPS, step, sample[:n_lists])


def _nearest(
    platform: Platform,
    rows: Float[Array, "block dim"],
    centroids: Float[Array, "n_lists dim"],
    count: int,
) -> Int[Array, "count block"]:
    """The nearest centroids of every row, nearest first, up to rounding."""
    groups = group_sizes(platform, len(centroids), count)
    padding = -len(centroids) % math.prod(groups)
    norms = jnp.pad(jnp.sum(centroids * centroids, axis=1), (0, padding), constant_values=jnp.inf)
    product = _product(jnp.pad(centroids, ((0, padding), (0, 0))), rows.T)
    distances = norms[:, None] - 2 * product + jnp.sum(rows * rows, axis=1)
    return smallest_per_column(platform, distances, count, groups)[0]


def _product(left: Array, right: Array) -> Array:
    return jnp.dot(left, right, precision=lax.Precision.HIGHEST)


def in_table(nearest: Int[np.ndarray, "n_cells nearest"], n_lists: int) -> np.ndarray:
    """The cells in rows of ``capacity``, each list in as many rows as it needs.

    The shape ``(n_rows, capacity)`` depends on the numbers of cells and lists alone, so that
    other cells need no other program. Every cell has one entry; the others are ``n_cells``.
    """
    n_cells = len(nearest)
    capacity = n_cells // (_ROWS_PER_LIST * n_lists)
    capacity = min(max(capacity, _SMALLEST_CAPACITY), _LARGEST_CAPACITY)
    table = np.full((n_cells // capacity + n_lists, capacity), n_cells, np.int32)

    order = np.lexsort(nearest.T[::-1])
    sizes = np.bincount(nearest[:, 0], minlength=n_lists)
    n_rows = -(-sizes // capacity)
    first_entries = capacity * (np.cumsum(n_rows) - n_rows)
    ranks = np.arange(n_cells) - np.repeat(np.cumsum(sizes) - sizes, sizes)
    table.ravel()[np.repeat(first_entries, sizes) + ranks] = order
    return table
