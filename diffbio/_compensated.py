"""Numbers as sums of two: a rounded one, and what rounding lost.

A number is split into halves of its digits to be multiplied. The products of halves are exact,
so that it does not matter whether a compiler contracts a product and a sum to one operation.
"""

import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array

__all__ = ["Pair", "add", "difference", "minus_product", "sum_of_rows"]

Pair = tuple[Array, Array]


def difference(a: Array, b: Array) -> Pair:
    """``a - b``."""
    rounded = a - b
    from_a = a - rounded
    return rounded, (a - (rounded + from_a)) + (from_a - b)


def minus_product(a: Array, b: Array, c: Array) -> Pair:
    """``a - b c``, also where hardly anything is left of a."""
    rounded, lost = a, jnp.zeros_like(a)
    for b_half in _halves(b):
        for c_half in _halves(c):
            rounded, error = difference(rounded, b_half * c_half)
            lost = lost + error
    return rounded, lost


def _halves(x: Array) -> Pair:
    info = jnp.finfo(x.dtype)
    high = lax.reduce_precision(x, info.nexp, (info.nmant - 1) // 2)
    return high, x - high


def add(a: Pair, b: Pair) -> Pair:
    """``a + b``."""
    rounded, error = difference(a[0], -b[0])
    return difference(rounded, -(error + a[1] + b[1]))


@jax.custom_jvp
def sum_of_rows(a: Pair, b: Pair) -> Pair:
    """The sum of ``a b`` over the last axis, to one and a half times the digits."""
    (a_high, a_low), (b_high, b_low) = _halves(a[0]), _halves(b[0])
    rest = a_high * b_low + a_low * b[0] + a[1] * b[0] + a[0] * b[1]
    zero = jnp.zeros((), rest.dtype)
    return tuple(lax.reduce((a_high * b_high, rest), (zero, zero), _add_terms, (rest.ndim - 1,)))


@sum_of_rows.defjvp
def _derivative_of_sum(primals: tuple[Pair, Pair], tangents: tuple[Pair, Pair]) -> tuple:
    (a, b), (a_dot, b_dot) = (tuple(map(sum, pairs)) for pairs in (primals, tangents))
    slope = jnp.sum(a_dot * b + a * b_dot, axis=-1)
    return sum_of_rows(*primals), (slope, jnp.zeros_like(slope))


def _add_terms(left: Pair, right: Pair) -> Pair:
    rounded, error = difference(left[0], -right[0])
    return rounded, left[1] + right[1] + error
