"""Work in blocks of rows, so that temporaries do not grow with the number of cells."""

import functools
from collections.abc import Callable
from typing import TypeVar

import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Bool, Int

__all__ = ["over_row_blocks", "read_rows", "rows_for", "varying_alike", "write_rows"]

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
    held. A step that writes rows may ignore ``fresh``; a step that accumulates must not.
    """
    if block_size >= n_rows:
        return step(jnp.int32(0), jnp.ones(n_rows, bool), carry)

    def body(block: Int[Array, ""], carry: Carry) -> Carry:
        start = jnp.minimum(block * block_size, n_rows - block_size)
        fresh = start + jnp.arange(block_size, dtype=jnp.int32) >= block * block_size
        return step(start, fresh, carry)

    n_blocks = -(-n_rows // block_size)
    if jax.sharding.get_abstract_mesh().manual_axes:
        carry = _varying_as_after(lambda carry: body(jnp.int32(0), carry), carry)
    return lax.fori_loop(jnp.int32(0), jnp.int32(n_blocks), body, carry)


def _varying_as_after(step: Callable[[Carry], Carry], carry: Carry) -> Carry:
    """The same carry, with the type that a step gives it inside of ``jax.shard_map``.

    There the type of an array says over which axes of the mesh the array varies. A loop
    demands that its carry has one type before and after a step, but a carry of zeros
    varies over no axis before the first step. The result of ``step`` is used for its type
    alone, so XLA drops the step.
    """
    return jax.tree.map(lambda *pair: varying_alike(pair)[0], carry, step(carry))


def varying_alike(arrays: Carry) -> Carry:
    """The same arrays, each varying over all axes of the mesh that any of them varies over.

    A function with a custom derivative needs such arguments inside of ``jax.shard_map``.
    Each of its cotangents is computed from all arguments and varies over the axes of all,
    but JAX demands that it varies over the axes of its own argument. Outside of
    ``jax.shard_map`` the arrays are returned as they are.

    The code uses two rules of JAX: ``zeros_like`` varies over the axes of its argument, and
    ``where`` over the axes of all its arguments.
    """
    if not jax.sharding.get_abstract_mesh().manual_axes:
        return arrays
    false = [jnp.zeros_like(array, bool, shape=()) for array in jax.tree.leaves(arrays)]
    anywhere = functools.reduce(jnp.logical_or, false)
    return jax.tree.map(lambda array: jnp.where(anywhere, array, array), arrays)


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
