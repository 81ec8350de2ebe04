"""Keys that order distances over the whole range of floats, where squares would underflow.

Distances are measured in a unit that the largest cell fits in. There the squares of
distances 15 orders of magnitude smaller lose their digits, and those of 19 orders vanish. A key is
the squared distance in that unit where the square keeps its digits. Otherwise it is ``-1 / d``,
of the distance in the unit of the input, and the lowest float for a distance of exactly 0. Keys
order as distances do.
"""

from collections.abc import Callable

import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Bool, Float

from diffbio._numerics import safe_norm

__all__ = ["is_measured", "key_of", "key_of_differences", "loses_digits", "squared_distance"]


def _zero(dtype: jnp.dtype) -> float:
    return float(jnp.finfo(dtype).min)


def loses_digits(squares: Float[Array, "*shape"], dim: int) -> Bool[Array, "*shape"]:
    """Which sums of ``dim`` squares may lack digits, because terms were flushed to 0."""
    finfo = jnp.finfo(squares.dtype)
    return squares < dim * float(finfo.tiny) / float(finfo.eps)


def key_of(squares: Float[Array, "*shape"]) -> Float[Array, "*shape"]:
    """The keys of squares that are exactly 0 or keep their digits."""
    return jnp.where(squares == 0, _zero(squares.dtype), squares)


def key_of_differences(
    squares: Float[Array, " n_others"],
    differences: Callable[[], Float[Array, "n_others dim"]],
    usable: Bool[Array, " n_others"],
    dim: int,
) -> Float[Array, " n_others"]:
    """The keys of a row of squares; the differences are formed again where digits are lost."""
    small = loses_digits(squares, dim)

    def precisely() -> Array:
        distances = safe_norm(differences())
        zero = distances == 0
        inverse = -1 / jnp.where(zero, 1, distances)
        return jnp.where(small, jnp.where(zero, _zero(squares.dtype), inverse), squares)

    return lax.cond(jnp.any(small & usable), precisely, lambda: squares)


def is_measured(keys: Float[Array, "*shape"]) -> Bool[Array, "*shape"]:
    """Which keys are squares, or of a distance of 0: they can be compared with other squares."""
    return (keys >= 0) | (keys == _zero(keys.dtype))


def squared_distance(
    keys: Float[Array, "*shape"], unit: Float[Array, ""]
) -> Float[Array, "*shape"]:
    """The squared distances in the unit of the input."""
    inverse = 1 / jnp.where(keys < 0, keys, 1)
    small = jnp.where(keys == _zero(keys.dtype), 0, inverse * inverse)
    return jnp.where(keys < 0, small, keys * unit * unit)
