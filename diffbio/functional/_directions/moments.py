"""Two vectors v and a = f - x per cell: their cosine and their lengths, from one pass."""

from typing import NamedTuple

import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Bool, Float

from diffbio._numerics import (
    in_accumulation_dtype,
    power_of_two,
    safe_inverse,
    sums_over_last_axis,
    zeroed,
)
from diffbio._platform import Platform

__all__ = [
    "Cells",
    "Mask",
    "Moments",
    "Number",
    "PerCell",
    "Profiles",
    "moments_of",
    "rounding_of",
    "unit_of",
]

Profiles = Float[Array, "n_cells n_genes"]
PerCell = Float[Array, " n_cells"]
Number = Float[Array, ""]
Mask = Bool[Array, " n_cells"] | None


class Cells(NamedTuple):
    """The arrays as they are given. Masking and casting them is left to those who read them."""

    v: Profiles
    x: Profiles
    f: Profiles
    where: Mask

    def read(self) -> tuple[Profiles, Profiles, Profiles]:
        """v, x and f in the dtype of the arithmetic, 0 for masked cells."""
        v, x, f = (zeroed(a, self.where) for a in in_accumulation_dtype(self.v, self.x, self.f))
        return v, x, f


class Moments(NamedTuple):
    """``cos(v, a)``, ``|v|`` and ``|a|`` of every cell."""

    cosine: PerCell
    speed: PerCell
    distance: PerCell


def rounding_of(cells: Cells) -> float:
    """What rounding does to a cosine, about. The part of the sums grows with the genes."""
    dtype = jnp.result_type(cells.v, cells.x, cells.f)
    eps = min(float(jnp.finfo(each).eps) for each in (dtype, jnp.float32))
    return eps * (2 + cells.v.shape[1] ** 0.5 / 32)


def unit_of(norm: PerCell) -> PerCell:
    """A power of 2 near a norm, and 1 for a norm of 0. Its inverse is a normal number, too."""
    largest = 2.0 ** (jnp.finfo(norm.dtype).maxexp - 2)
    return power_of_two(jnp.clip(jnp.where(norm == 0, 1, norm), 1 / largest, largest))


def moments_of(platform: Platform, cells: Cells) -> Moments:
    """The three numbers per cell, from one pass over the inputs, or from two.

    If squares left the float range, a second pass repeats the work on scaled inputs. A
    zero vector looks like squares that underflowed, so it causes the second pass too. That
    costs time, but no accuracy.
    """
    v, x, f = cells.read()
    smallest = jnp.finfo(v.dtype).tiny / jnp.finfo(v.dtype).eps
    largest = jnp.finfo(v.dtype).max
    vv, aa, va = sums_over_last_axis(platform, _products, v, f - x)
    out_of_range = (vv < smallest) | (aa < smallest) | (vv > largest) | (aa > largest)
    if cells.where is not None:
        out_of_range &= cells.where

    def directly() -> Moments:
        return Moments(_cosine(vv, aa, va), jnp.sqrt(vv), jnp.sqrt(aa))

    def after_scaling() -> Moments:
        v, x, f = cells.read()
        v_scale = jnp.max(jnp.abs(v), axis=1, keepdims=True)
        change_scale = jnp.max(jnp.abs(f - x), axis=1, keepdims=True)
        vv, aa, va = sums_over_last_axis(
            platform, _products, v * safe_inverse(v_scale), (f - x) * safe_inverse(change_scale)
        )
        speed, distance = v_scale[:, 0] * jnp.sqrt(vv), change_scale[:, 0] * jnp.sqrt(aa)
        return Moments(_cosine(vv, aa, va), speed, distance)

    return lax.cond(jnp.any(out_of_range), after_scaling, directly)


def _cosine(vv: PerCell, aa: PerCell, va: PerCell) -> PerCell:
    return va * safe_inverse(jnp.sqrt(vv)) * safe_inverse(jnp.sqrt(aa))


def _products(own: Array, change: Array) -> tuple[Array, Array, Array]:
    """The terms of ``own.own``, ``change.change`` and ``own.change``."""
    return own * own, change * change, own * change
