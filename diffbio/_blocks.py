"""Work in blocks of rows, so that temporaries do not grow with the number of cells."""

from collections.abc import Callable
from typing import TypeVar

import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Bool, Int

__all__ = ["over_row_blocks", "read_rows", "rows_for", "write_rows"]

Carry = TypeVar("Carry")


def over_row_blocks(
    n_rows: int,
    block_size: int,
    step: Callable[[Int[Array, ""], Bool[Array, " block"], Carry], Carry],
    carry: Carry,
) -> Carry:
    """Fold ``step(start, fresh, carry)`` over consecutive blocks of rows.

    Every block has ``block_size`` rows: the last one begins early instead of
    running over the end, and ``fresh`` marks its rows that no earlier block
    held. A step that writes rows may ignore it; one that accumulates must not.
    """
    if block_size >= n_rows:
        return step(jnp.int32(0), jnp.ones(n_rows, bool), carry)

    def body(block: Int[Array, ""], carry: Carry) -> Carry:
        start = jnp.minimum(block * block_size, n_rows - block_size)
        fresh = start + jnp.arange(block_size, dtype=jnp.int32) >= block * block_size
        return step(start, fresh, carry)

    n_blocks = -(-n_rows // block_size)
    return lax.fori_loop(jnp.int32(0), jnp.int32(n_blocks), body, carry)


def read_rows(array: Array, start: Int[Array, ""], size: int) -> Array:
    """``array[start : start + size]`` with a traced start."""
    return lax.dynamic_slice_in_dim(array, start, min(size, array.shape[0]))


def write_rows(array: Array, rows: Array, start: Int[Array, ""]) -> Array:
    """``array`` with ``rows`` written from row ``start`` on."""
    return lax.dynamic_update_slice_in_dim(array, rows, start, 0)


def rows_for(elements_per_row: int, *, budget: int, smallest: int, largest: int) -> int:
    """Rows per block that keep a block near ``budget`` elements, a power of two."""
    wanted = max(1, budget // max(1, elements_per_row))
    return min(largest, max(smallest, 1 << (wanted.bit_length() - 1)))
