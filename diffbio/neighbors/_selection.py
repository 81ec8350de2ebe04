"""The smallest entries of every column, by vectorised passes over integer keys.

XLA's ``top_k`` on a CPU handles one row at a time with a heap. Here the rows of
a block lie along the minor axis, so that each pass is one vector instruction
per entry for many rows at once.
"""

import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Float, Int, Shaped

__all__ = ["group_sizes", "smallest_per_column"]

_GROUP = 4
_TOP_ENTRIES = 8


def group_sizes(n_entries: int, count: int) -> tuple[int, ...]:
    """Group sizes of the levels of minima that pay for ``n_entries`` entries.

    Another level pays while the level above it still has several times ``count``
    entries to pass over.
    """
    sizes: list[int] = []
    while n_entries > _TOP_ENTRIES * count:
        sizes.append(_GROUP)
        n_entries = -(-n_entries // _GROUP)
    return tuple(sizes)


def smallest_per_column(
    values: Float[Array, "n_entries block"], count: int, groups: tuple[int, ...]
) -> tuple[Int[Array, "count block"], Float[Array, " block"]]:
    """Rows of the ``count`` smallest values of each column, and a bound on the rest.

    Equals ``lax.top_k(-values.T, count)`` up to values that agree in their leading
    bits (see :func:`_smallest`), negative values counting as 0. The work goes down a
    pyramid: the minima of groups of entries, the minima of groups of those, and so on.
    The ``count`` groups with the smallest minima hold the ``count`` smallest entries,
    so every level passes over ``count * group`` entries instead of all.

    Returns:
        The rows, in ascending order of value, and a number that no value outside
        of the chosen ones is below.
    """
    levels: list[Array] = [values]
    for group in groups:
        entries = _ordered_bits(levels[-1])
        levels.append(entries.reshape(-1, group, entries.shape[1]).min(axis=1))

    rows, bound = _smallest(levels.pop(), count)
    for level, group in zip(reversed(levels), reversed(groups), strict=True):
        members = rows[:, None, :] * group + jnp.arange(group, dtype=rows.dtype)[None, :, None]
        members = members.reshape(-1, members.shape[-1])
        picked, bound = _smallest(_take(level, members), count)
        rows = _take(members, picked)
    return rows, bound


def _take(array: Array, rows: Int[Array, "count block"]) -> Array:
    return jnp.take_along_axis(array, rows, axis=0, mode="promise_in_bounds")


def _ordered_bits(values: Shaped[Array, "*shape"]) -> Int[Array, "*shape"]:
    """The bits of non-negative float32 values, which order as the values do; negatives are 0."""
    if values.dtype == jnp.int32:
        return values
    return jnp.maximum(lax.bitcast_convert_type(values, jnp.int32), 0)


def _smallest(
    values: Shaped[Array, "n_entries block"], count: int
) -> tuple[Int[Array, "count block"], Float[Array, " block"]]:
    """Select by ``count`` passes, each taking the smallest key above the last one.

    A key is a value's bits with the lowest ones replaced by the entry's row. That makes
    keys unique, so that one integer minimum yields value and row together, and rounds
    the value *down* by a relative 2^-(23 - row bits).
    """
    row_mask = (1 << max(1, (values.shape[0] - 1).bit_length())) - 1
    row = lax.broadcasted_iota(jnp.int32, values.shape, 0)
    keys = (_ordered_bits(values) & ~row_mask) | row

    def next_smallest(last: Array, _: None) -> tuple[Array, Array]:
        above = jnp.where(keys > last[None], keys, jnp.iinfo(jnp.int32).max)
        smallest = above.min(axis=0)
        return smallest, smallest

    start = jnp.full_like(keys[0], -1)
    last, chosen = lax.scan(next_smallest, start, None, length=count)
    return chosen & row_mask, lax.bitcast_convert_type(last & ~row_mask, jnp.float32)
