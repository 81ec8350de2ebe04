"""Numbers as sums of two: a rounded one, and what rounding lost.

A number is split into halves of its digits to be multiplied. The products of halves are exact,
so that it does not matter whether a compiler contracts a product and a sum to one operation.
"""

import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Float

__all__ = ["Pair", "add", "difference", "minus_product", "multiply", "power_of_two", "sums_of_rows"]

Pair = tuple[Array, Array]
# Terms, or their sums, and their rests.
_Columns = tuple[tuple[Array, ...], tuple[Array, ...]]


def power_of_two(norm: Float[Array, "*shape"]) -> Float[Array, "*shape"]:
    """A power of two near a norm, and 1 for a norm of 0: a product with it rounds nothing.

    It is a constant under differentiation. Its inverse is a normal number, too.
    """
    info = jnp.finfo(norm.dtype)
    largest = 2.0 ** (info.maxexp - 2)
    inside = jnp.clip(jnp.where(norm == 0, 1, norm), 1 / largest, largest)
    return lax.stop_gradient(lax.reduce_precision(inside, info.nexp, 0))


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


def multiply(a: Pair, b: Pair) -> Pair:
    """``a b``."""
    rounded, lost = minus_product(jnp.zeros_like(a[0] * b[0]), -a[0], b[0])
    return add((rounded, lost), (a[0] * b[1] + a[1] * b[0], jnp.zeros_like(rounded)))


def sums_of_rows(*products: tuple[Pair, Pair]) -> list[Pair]:
    """The sums over the last axis of products of pairs, to one and a half times the digits."""
    terms = [_terms(*product) for product in products]
    rounded, lost = _sums_of_terms(*map(tuple, zip(*terms, strict=True)))
    return list(zip(rounded, lost, strict=True))


def _terms(a: Pair, b: Pair) -> Pair:
    """A product as an exact term, which is most of it, and the rest."""
    (a_high, a_low), (b_high, b_low) = _halves(a[0]), _halves(b[0])
    return a_high * b_high, a_high * b_low + a_low * b[0] + a[1] * b[0] + a[0] * b[1]


@jax.custom_jvp
def _sums_of_terms(terms: tuple[Array, ...], rests: tuple[Array, ...]) -> _Columns:
    """The sums of the terms, and those of the rests with what the first ones lost."""
    arrays = (*terms, *rests)
    zeros = tuple(jnp.zeros((), array.dtype) for array in arrays)
    sums = tuple(lax.reduce(arrays, zeros, _add_terms, (arrays[0].ndim - 1,)))
    return sums[: len(terms)], sums[len(terms) :]


@_sums_of_terms.defjvp
def _derivative_of_sums(primals: _Columns, tangents: _Columns) -> tuple[_Columns, _Columns]:
    return _sums_of_terms(*primals), jax.tree.map(lambda t: jnp.sum(t, axis=-1), tangents)


def _add_terms(left: tuple[Array, ...], right: tuple[Array, ...]) -> tuple[Array, ...]:
    half = len(left) // 2
    sums = [difference(a, -b) for a, b in zip(left[:half], right[:half], strict=True)]
    rests = [a + b for a, b in zip(left[half:], right[half:], strict=True)]
    return (
        *(rounded for rounded, _ in sums),
        *(rest + error for rest, (_, error) in zip(rests, sums, strict=True)),
    )
