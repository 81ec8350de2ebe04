"""Vectors that are nearly parallel or nearly of one length, compared without cancellation.

With the remainder ``r = a - s v``, which is small and accurate, and the unit vector v^, the
parts of a are ``along = s |v| + r.v^`` and ``across^2 = |r|^2 - (r.v^)^2``. Then

    1 - cos(v, a) = across^2 / (|a| (|a| + along)),
    dt |v| - |a| = ((dt^2 - s^2) |v|^2 - 2 s r.v - |r|^2) / (dt |v| + |a|).
"""

from collections.abc import Callable

import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Bool

from diffbio._compensated import Pair, add, minus_product, multiply, power_of_two, sums_of_rows
from diffbio._numerics import safe_inverse, safe_sqrt, sums_over_last_axis
from diffbio._platform import Platform
from diffbio.functional._moments import (
    Cells,
    Comparison,
    Moments,
    Number,
    PerCell,
    Profiles,
    in_units,
    rounding_of,
)

__all__ = ["from_remainder", "remainder"]


def remainder(v: Profiles, a: Pair, slope: PerCell) -> Profiles:
    """``a - slope v``."""
    rounded, _ = minus_product(a[0], slope[:, None], v)
    return rounded + a[1]


def from_remainder(
    platform: Platform,
    cells: Cells,
    moments: Moments,
    dt: Number,
    inaccurate: Callable[[PerCell, PerCell], Bool[Array, ""]],
) -> Comparison:
    """The comparison by a second pass over the inputs, and the excess by a third if need be.

    Args:
        inaccurate: whether the excess is, from the excess and about what rounding did to it.
    """
    v, a = in_units(cells, *moments[1:])
    speed, distance, dt_in_units = _lengths_in_units(moments, dt)
    slope = jnp.where(moments.cosine**2 > 0.5, moments.cosine * distance * safe_inverse(speed), 0)
    slope = lax.stop_gradient(slope)

    def terms(v: Array, a: Array, lost: Array) -> tuple[Array, Array]:
        r = remainder(v, (a, lost), slope)
        return r * r, r * v

    rr, rv = sums_over_last_axis(platform, terms, v, *a)
    size = jnp.abs(slope)
    squares = (dt_in_units - size) * (dt_in_units + size)
    surplus = squares * speed**2 - 2 * slope * rv - rr
    error = rounding_of(cells) * safe_sqrt(rr)
    surplus = lax.cond(
        inaccurate(*_excess(moments, dt, surplus, error)),
        lambda: _surplus(cells, moments, slope, dt),
        lambda: surplus,
    )
    excess, _ = _excess(moments, dt, surplus, error)
    return Comparison(*_turn_and_overlap(slope, speed, rr, rv), excess, slope)


def _lengths_in_units(moments: Moments, dt: Number) -> tuple[PerCell, PerCell, PerCell]:
    """``|v|``, ``|a|`` and ``dt`` in the units of ``in_units``; a large ``dt`` is capped."""
    v_unit, unit = power_of_two(moments.speed), power_of_two(moments.distance)
    return moments.speed / v_unit, moments.distance / unit, jnp.minimum(dt * v_unit / unit, 8)


def _turn_and_overlap(
    slope: PerCell, speed: PerCell, rr: PerCell, rv: PerCell
) -> tuple[PerCell, PerCell]:
    part = rv * safe_inverse(speed)
    along = slope * speed + part
    across_squared = jnp.maximum(rr - part**2, 0)
    distance = safe_sqrt(along**2 + across_squared)
    per_distance = safe_inverse(distance)
    turn = jnp.where(
        (slope != 0) | (along > 0),
        across_squared * safe_inverse(distance * (distance + jnp.abs(along))),
        1 - along * per_distance,
    )
    return turn, part * per_distance


def _excess(
    moments: Moments, dt: Number, surplus: PerCell, error: PerCell
) -> tuple[PerCell, PerCell]:
    """``dt |v| - |a|`` from the difference of the squares, and its error, if they are close."""
    speed, distance, dt_in_units = _lengths_in_units(moments, dt)
    length, unit = dt_in_units * speed, power_of_two(moments.distance)
    close = (length < 2 * distance) & (distance < 2 * length)
    near = unit * surplus * safe_inverse(length + distance)
    far = dt * moments.speed - moments.distance
    return jnp.where(close, near, far), jnp.where(close, unit * error, 0)


def _surplus(cells: Cells, moments: Moments, slope: PerCell, dt: Number) -> PerCell:
    """``dt^2 |v|^2 - |a|^2`` with one and a half times the digits."""
    v, a = in_units(cells, *moments[1:])
    rounded, lost = minus_product(a[0], slope[:, None], v)
    r, v_pair = add((rounded, lost), (a[1], jnp.zeros_like(lost))), (v, jnp.zeros_like(v))
    rr, rv, vv = sums_of_rows((r, r), (r, v_pair), (v_pair, v_pair))
    _, _, dt = _lengths_in_units(moments, dt)
    zero, size = jnp.zeros_like(slope), jnp.abs(slope)
    squares = multiply(add((dt, zero), (-size, zero)), add((dt, zero), (size, zero)))
    twice = multiply((-2 * slope, zero), rv)
    rounded, lost = add(multiply(squares, vv), add(twice, (-rr[0], -rr[1])))
    return rounded + lost
