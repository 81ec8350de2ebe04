"""The smallest entries of every column, by vectorised passes over integer keys.

XLA's ``top_k`` on a CPU handles one row at a time with a heap. Here the rows of
a block lie along the minor axis, so that each pass is one vector instruction
per entry for many rows at once. The passes cost the square of the number of entries
that are wanted. Where many are wanted, the entries are sorted instead.

A GPU starts a kernel for every pass, so that it wants few levels of larger groups. Its
``top_k`` takes the few smallest of a level's entries faster than passes do.
"""

import functools

import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Bool, Float, Int, Shaped

from diffbio._platform import Platform

__all__ = ["group_sizes", "is_many", "smallest_per_column", "sorted_columns"]

# Entries of a group, and entries of the last level for each one that is wanted.
_GROUP = {Platform.CPU: 4, Platform.ACCELERATOR: 16}
_TOP_ENTRIES = {Platform.CPU: 8, Platform.ACCELERATOR: 16}
# Up to this number of wanted entries, passes over them are faster than sorting.
_FEW = 128
# Parts of an array whose minimum is taken in one step, and rows that are few enough for a step.
_N_PARTS = 8
_MOST_ROWS = 40


def is_many(count: int) -> bool:
    """Whether so many entries are wanted that sorting is faster than passes."""
    return count > _FEW


def group_sizes(platform: Platform, n_entries: int, count: int) -> tuple[int, ...]:
    """Group sizes of the levels of minima that pay for ``n_entries`` entries.

    Another level pays while the level above it still has several times ``count``
    entries to pass over.
    """
    sizes: list[int] = []
    while n_entries > _TOP_ENTRIES[platform] * count:
        sizes.append(_GROUP[platform])
        n_entries = -(-n_entries // _GROUP[platform])
    return tuple(sizes)


def smallest_per_column(
    platform: Platform,
    values: Float[Array, "n_entries block"],
    count: int,
    groups: tuple[int, ...],
) -> tuple[Int[Array, "count block"], Float[Array, " block"]]:
    """Rows of the ``count`` smallest values of each column, and a bound on the rest.

    Equals ``lax.top_k(-values.T, count)`` up to values that agree in their leading
    bits (see :func:`_smallest`), negative values counting as 0. The work goes down a
    pyramid: the minima of groups of entries, the minima of groups of those, and so on.
    The ``count`` groups with the smallest minima hold the ``count`` smallest entries,
    so every level passes over ``count * group`` entries instead of all.

    The bound is the smallest of the levels' bounds. Proof: take an entry that is not chosen, and
    the groups that contain it, from the top level down to the entry itself. Take the first of
    them that its level did not choose. The group above it was chosen, so this level compared
    its minimum with others, and its minimum is at least this level's bound. The entry is at
    least that minimum. The last level's bound alone is not enough: a level with more entries
    rounds its keys more, and so may drop a group whose minimum is slightly smaller.

    Returns:
        The rows, in ascending order of value, and a lower bound of the values that are
        not chosen.
    """
    levels: list[Array] = [values]
    for group in groups:
        entries = _ordered_bits(levels[-1])
        levels.append(entries.reshape(-1, group, entries.shape[1]).min(axis=1))

    rows, bound = _smallest(platform, levels.pop(), count)
    for level, group in zip(reversed(levels), reversed(groups), strict=True):
        members = rows[:, None, :] * group + jnp.arange(group, dtype=rows.dtype)[None, :, None]
        members = members.reshape(-1, members.shape[-1])
        picked, level_bound = _smallest(platform, _take(level, members), count)
        rows, bound = _take(members, picked), jnp.minimum(bound, level_bound)
    return rows, lax.bitcast_convert_type(bound, jnp.float32)


def _take(array: Array, rows: Int[Array, "count block"]) -> Array:
    return jnp.take_along_axis(array, rows, axis=0, mode="promise_in_bounds")


def _ordered_bits(values: Shaped[Array, "*shape"]) -> Int[Array, "*shape"]:
    """The bits of non-negative float32 values, which order as the values do; negatives are 0."""
    if values.dtype == jnp.int32:
        return values
    return jnp.maximum(lax.bitcast_convert_type(values, jnp.int32), 0)


def _smallest(
    platform: Platform, values: Shaped[Array, "n_entries block"], count: int
) -> tuple[Int[Array, "count block"], Int[Array, " block"]]:
    """Rows of the ``count`` smallest keys of each column, and the bits of a bound on the rest.

    A key is a value's bits with the lowest ones replaced by the entry's row. That makes
    keys unique, so that one integer minimum yields value and row together, and rounds
    the value *down* by a relative 2^-(23 - row bits). The bound is the last key without
    its row: an entry that is not chosen has a larger key, and is no smaller than that.
    """
    row_mask = (1 << max(1, (values.shape[0] - 1).bit_length())) - 1
    row = lax.broadcasted_iota(jnp.int32, values.shape, 0)
    keys = (_ordered_bits(values) & ~row_mask) | row
    smallest = _smallest_keys(platform, keys, count)
    return smallest & row_mask, smallest[-1] & ~row_mask


def _smallest_keys(
    platform: Platform, keys: Int[Array, "n_entries block"], count: int
) -> Int[Array, "count block"]:
    """The ``count`` smallest keys of each column, ascending."""
    if platform is Platform.ACCELERATOR:
        return -lax.top_k(-keys.T, count)[0].T
    return lax.sort(keys.T)[:, :count].T if is_many(count) else _by_passes(keys, count)


def _by_passes(keys: Int[Array, "n_entries block"], count: int) -> Int[Array, "count block"]:
    """The ``count`` smallest keys of each column; each pass takes the one above the last.

    A pass subtracts the least key that is left from all keys, as unsigned integers. Smaller keys
    wrap around, and become larger than all others.
    """
    unsigned = keys.astype(jnp.uint32)

    def next_smallest(least: Array, _: None) -> tuple[Array, Array]:
        smallest = least + _minimum([part - least[None] for part in _parts(unsigned)])
        return smallest + 1, smallest

    least = jnp.zeros_like(unsigned[0])
    return lax.scan(next_smallest, least, None, length=count)[1].astype(jnp.int32)


def _minimum(parts: list[Array]) -> Array:
    """The minimum of each column of all parts, by minima of pairs of equally large arrays.

    XLA on a CPU vectorises them, and makes one kernel of all of a step. It makes several kernels
    of a reduction of many rows.
    """
    smallest = functools.reduce(jnp.minimum, parts)
    while len(smallest) > _MOST_ROWS:
        smallest = functools.reduce(jnp.minimum, _parts(smallest))
    return functools.reduce(jnp.minimum, list(smallest))


def _parts(array: Shaped[Array, "n_entries block"]) -> list[Array]:
    """Parts of as many rows, which cover the array; the last ones may overlap."""
    size = -(-len(array) // _N_PARTS)
    starts = [min(part * size, len(array) - size) for part in range(_N_PARTS)]
    return [array[start : start + size] for start in starts]


def sorted_columns(
    order: Float[Array, "n_entries block"],
    arrays: tuple[Shaped[Array, "n_entries block"], ...],
    count: int,
    *,
    nearly_sorted: bool,
) -> tuple[Shaped[Array, "block count"], ...]:
    """The arrays at the ``count`` smallest entries of each column of ``order``, ascending.

    Of equal entries, the one in the lower row comes first. Where the entries are nearly sorted, as
    candidates are by their bounds, a few rounds of exchanges finish the order.
    """
    if is_many(len(order)):
        rows = lax.top_k(-order.T, count)[1]
        return tuple(jnp.take_along_axis(array.T, rows, axis=1) for array in arrays)
    if nearly_sorted:
        return tuple(array[:count].T for array in _exchanged(order, arrays))
    return _counted(order, arrays, count)


def _counted(
    order: Float[Array, "n_entries block"],
    arrays: tuple[Shaped[Array, "n_entries block"], ...],
    count: int,
) -> tuple[Shaped[Array, "block count"], ...]:
    """Columns sorted by counting: the rank of an entry is the number of entries before it.

    All entries of many columns are compared at once.
    """
    row = jnp.arange(len(order), dtype=jnp.int32)
    before = order[:, None] < order[None]
    before |= (order[:, None] == order[None]) & (row[:, None, None] < row[None, :, None])
    rank = jnp.sum(before, axis=0)
    chosen = rank[None] == jnp.arange(count, dtype=rank.dtype)[:, None, None]
    return tuple(
        jnp.sum(jnp.where(chosen, array[None], 0), axis=1, dtype=array.dtype).T for array in arrays
    )


def _exchanged(
    order: Float[Array, "n_entries block"], arrays: tuple[Shaped[Array, "n_entries block"], ...]
) -> tuple[Shaped[Array, "n_entries block"], ...]:
    """Columns sorted by exchanges of adjacent entries, until all are in order.

    The order is not negative, so that its bits order as it does. Then all arrays are one array of
    integers, and a round of exchanges is one kernel.

    A first entry that is infinite, as a cell itself is among its candidates, goes to the end at
    once. From there on it takes as many rounds as an entry is rows away from its rank.
    """
    integer = jnp.dtype(f"int{8 * order.dtype.itemsize}")
    entries = jnp.stack([_as_integers(array, integer) for array in (order, *arrays)])
    entries = jnp.where(jnp.isinf(order[0]), jnp.roll(entries, -1, axis=1), entries)

    def is_unsorted(entries: Array) -> Bool[Array, ""]:
        return jnp.any(entries[0, :-1] > entries[0, 1:])

    def exchange_all(entries: Array) -> Array:
        return _exchange(_exchange(entries, 0), 1)

    entries = lax.while_loop(is_unsorted, exchange_all, entries)
    return tuple(map(_from_integers, entries[1:], [array.dtype for array in arrays]))


def _exchange(
    entries: Int[Array, "n_arrays n_entries block"], first: int
) -> Int[Array, "n_arrays n_entries block"]:
    """The entries with pairs of rows from ``first`` on in the order of the first array."""
    n_arrays, n_rows, width = entries.shape
    last = n_rows - (n_rows - first) % 2
    upper, lower = entries[:, first:last:2], entries[:, first + 1 : last : 2]
    wrong = upper[0] > lower[0]
    pairs = jnp.where(wrong, lower, upper), jnp.where(wrong, upper, lower)
    rows = jnp.stack(pairs, axis=2).reshape(n_arrays, last - first, width)
    return jnp.concatenate([entries[:, :first], rows, entries[:, last:]], axis=1)


def _as_integers(array: Shaped[Array, "*shape"], integer: jnp.dtype) -> Int[Array, "*shape"]:
    """Integers that :func:`_from_integers` turns back: the bits of floats."""
    if jnp.issubdtype(array.dtype, jnp.floating):
        return lax.bitcast_convert_type(array, integer)
    return array.astype(integer)


def _from_integers(entries: Int[Array, "*shape"], dtype: jnp.dtype) -> Shaped[Array, "*shape"]:
    if jnp.issubdtype(dtype, jnp.floating):
        return lax.bitcast_convert_type(entries, dtype)
    return entries.astype(dtype)
