"""Vectors that are nearly parallel or nearly of one length, compared without cancellation.

The remainder ``r = a - s v`` is small and accurate where s is near ``v.a / v.v``. With the unit
vector v^ the parts of a are ``along = s |v| + r.v^`` and ``across^2 = |r|^2 - (r.v^)^2``. Then

    1 - cos(v, a) = across^2 / (|a| (|a| + along)),
    dt |v| - |a| = ((dt^2 - s^2) |v|^2 - 2 s r.v - |r|^2) / (dt |v| + |a|).

With s = 0 these are the plain formulas. Everything is in units, which are powers of two near
``|v|`` and near ``|a|`` of each cell.
"""

from typing import NamedTuple

import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Bool

from diffbio._compensated import Pair, add, difference, minus_product, sum_of_rows
from diffbio._numerics import safe_inverse, safe_sqrt, sums_over_last_axis
from diffbio._platform import Platform
from diffbio.functional._directions.moments import (
    Cells,
    Moments,
    Number,
    PerCell,
    Profiles,
    unit_of,
)

__all__ = [
    "Comparison",
    "Remainder",
    "compared",
    "exact_excess",
    "no_remainder",
    "remainder_in_units",
    "remainder_of",
]


class Remainder(NamedTuple):
    """The slope s, and ``r.r`` and ``r.v``."""

    slope: PerCell
    rr: PerCell
    rv: PerCell


class Comparison(NamedTuple):
    """How the vectors of every cell differ.

    Attributes:
        turn: ``1 - cos(v, a)``, or ``1 - cos(-v, a)`` where the slope is negative.
        overlap: ``r.v / (|v| |a|)``.
        excess: ``dt |v| - |a|``.
        reach: ``|r|`` if the excess comes from it, otherwise 0.
    """

    turn: PerCell
    overlap: PerCell
    excess: PerCell
    reach: PerCell


class _Lengths(NamedTuple):
    """``|v|``, ``|a|`` and dt in units, dt at most 8, and the units."""

    speed: PerCell
    distance: PerCell
    dt: PerCell
    v_unit: PerCell
    unit: PerCell


def _in_units(moments: Moments, dt: Number) -> _Lengths:
    v_unit, unit = unit_of(moments.speed), unit_of(moments.distance)
    dt_in_units = jnp.minimum(dt * v_unit / unit, 8)
    return _Lengths(moments.speed / v_unit, moments.distance / unit, dt_in_units, v_unit, unit)


def _vectors_in_units(cells: Cells, speed: PerCell, distance: PerCell) -> tuple[Profiles, Pair]:
    """v, and a with all its digits."""
    v, x, f = cells.read()
    per_speed, per_distance = (1 / unit_of(norm)[:, None] for norm in (speed, distance))
    change, lost = difference(f, x)
    return v * per_speed, (change * per_distance, lost * per_distance)


def no_remainder(moments: Moments, dt: Number) -> Remainder:
    """With the slope 0: r is a."""
    speed, distance, *_ = _in_units(moments, dt)
    return Remainder(jnp.zeros_like(speed), distance**2, moments.cosine * distance * speed)


def remainder_of(platform: Platform, cells: Cells, moments: Moments, dt: Number) -> Remainder:
    """By another pass over the inputs. The slope is 0 for angles near 90 degrees."""
    speed, distance, *_ = _in_units(moments, dt)
    slope = jnp.where(moments.cosine**2 > 0.5, moments.cosine * distance * safe_inverse(speed), 0)
    slope = lax.stop_gradient(slope)

    def terms(v: Array, a: Array, lost: Array) -> tuple[Array, Array]:
        r = _remainder(v, (a, lost), slope)
        return r * r, r * v

    v, a = _vectors_in_units(cells, moments.speed, moments.distance)
    return Remainder(slope, *sums_over_last_axis(platform, terms, v, *a))


def _remainder(v: Profiles, a: Pair, slope: PerCell) -> Profiles:
    rounded, _ = minus_product(a[0], slope[:, None], v)
    return rounded + a[1]


def compared(moments: Moments, found: Remainder, dt: Number) -> Comparison:
    """The formulas at the top, on numbers per cell."""
    slope, rr, rv = found
    lengths = _in_units(moments, dt)
    part, per_distance = rv * safe_inverse(lengths.speed), safe_inverse(lengths.distance)
    along = slope * lengths.speed + part
    across_squared = jnp.maximum(rr - part**2, 0)
    turn = jnp.where(
        (slope != 0) | (along > 0),
        across_squared * safe_inverse(lengths.distance * (lengths.distance + jnp.abs(along))),
        1 - along * per_distance,
    )
    size = jnp.abs(slope)
    of_v = (lengths.dt - size) * (lengths.dt + size) * lengths.speed**2
    excess, close = _excess(moments, dt, of_v - 2 * slope * rv - rr)
    reach = jnp.where(close, lengths.unit * safe_sqrt(rr), 0)
    return Comparison(turn, part * per_distance, excess, reach)


def _excess(
    moments: Moments, dt: Number, surplus: PerCell
) -> tuple[PerCell, Bool[Array, " n_cells"]]:
    """By the difference of the squared lengths if they are close, and whether they are."""
    lengths = _in_units(moments, dt)
    length = lengths.dt * lengths.speed
    close = (length < 2 * lengths.distance) & (lengths.distance < 2 * length)
    by_squares = lengths.unit * surplus * safe_inverse(length + lengths.distance)
    return jnp.where(close, by_squares, dt * moments.speed - moments.distance), close


def exact_excess(cells: Cells, moments: Moments, dt: Number) -> PerCell:
    """The excess by another pass over the inputs, with one and a half times the digits.

    The difference of the squared lengths is ``(dt v - a).(dt v + a)``.
    """
    v, (change, lost) = _vectors_in_units(cells, moments.speed, moments.distance)
    step = _in_units(moments, dt).dt[:, None]
    minus, plus = (
        add(minus_product(change, factor, v), (lost, jnp.zeros_like(lost)))
        for factor in (step, -step)
    )
    product, lost = sum_of_rows(minus, plus)
    excess, _ = _excess(moments, dt, -product - lost)
    return excess


def remainder_in_units(
    cells: Cells, speed: PerCell, distance: PerCell, slope: PerCell
) -> tuple[Profiles, Profiles]:
    """v and r."""
    v, a = _vectors_in_units(cells, speed, distance)
    return v, _remainder(v, a, slope)
