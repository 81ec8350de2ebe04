"""How far two vectors per cell differ in direction and in length, with its own derivative."""

from functools import partial

import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Bool

from diffbio._compensated import power_of_two
from diffbio._numerics import safe_inverse, safe_ratio, zeroed
from diffbio._platform import Platform, by_platform
from diffbio.functional._moments import (
    Cells,
    Comparison,
    Mask,
    Number,
    PerCell,
    Profiles,
    in_units,
    moments_of,
    rounding_of,
)
from diffbio.functional._remainder import from_remainder, remainder

__all__ = ["compare_directions"]

Weights = tuple[Number, Number] | None
_Results = tuple[PerCell, PerCell, PerCell]
_Residuals = tuple[Cells, Number, PerCell, PerCell, Comparison]

# Errors that are accepted of values and of gradients, in units of the dtype's rounding.
_VALUE, _GRADIENT = 84, 512


@jax.custom_vjp
def compare_directions(
    v: Profiles, x: Profiles, f: Profiles, dt: Number, weights: Weights, where: Mask
) -> _Results:
    """``1 - cos(v, f - x)``, ``dt |v| - |f - x|`` and ``|v|`` of every cell.

    The custom derivative needs a few numbers per cell beside the inputs, so that the
    backward pass is one read of the inputs and one write of their gradients.

    Args:
        v, x, f: in any floating dtype.
        dt: a constant. The derivative of the second result by it is the third.
        weights: those of the first result and of the second one's square in a cell's loss,
            if each loss has to be accurate. None if their means and gradients have to be,
            which costs less.
        where: the cells that count.
    """
    return _forward(v, x, f, dt, weights, where)[0]


def _forward(
    v: Profiles, x: Profiles, f: Profiles, dt: Number, weights: Weights, where: Mask
) -> tuple[_Results, _Residuals]:
    cells = Cells(v, x, f, where)
    speed, distance, found = by_platform(_compare, cells, dt, weights)
    turn = jnp.where(found.slope < 0, 2 - found.turn, found.turn)
    return (turn, found.excess, speed), (cells, dt, speed, distance, found)


def _compare(
    platform: Platform, cells: Cells, dt: Number, weights: Weights
) -> tuple[PerCell, PerCell, Comparison]:
    """The lengths and the comparison, from one pass over the inputs if that is accurate."""
    moments = moments_of(platform, cells)
    cosine, speed, distance = moments
    rounding = rounding_of(cells)
    inaccurate = partial(_inaccurate, weights, cells.where, distance)

    def directly() -> Comparison:
        excess = dt * speed - distance
        return Comparison(1 - cosine, cosine, excess, jnp.zeros_like(cosine))

    def more_accurately() -> Comparison:
        turn = 1 - cosine
        return from_remainder(platform, cells, moments, dt, partial(inaccurate, turn, 0.0))

    error = rounding * (dt * speed + distance) / 4
    found = lax.cond(
        _nearly_parallel(cosine, rounding, cells.where)
        | inaccurate(1 - cosine, rounding, dt * speed - distance, error),
        more_accurately,
        directly,
    )
    return speed, distance, found


def _nearly_parallel(cosine: PerCell, rounding: float, where: Mask) -> Bool[Array, ""]:
    """Whether some cell's gradient of the cosine, which has the size of the sine, is inaccurate."""
    smallest = rounding / (_GRADIENT * float(jnp.finfo(cosine.dtype).eps))
    parallel = (1 - cosine) * (1 + cosine) < smallest**2
    return jnp.any(parallel if where is None else parallel & where)


def _inaccurate(
    weights: Weights,
    where: Mask,
    distance: PerCell,
    turn: PerCell,
    turn_error: float,
    excess: PerCell,
    error: PerCell,
) -> Bool[Array, ""]:
    """Whether the cosines or the squares of the excesses are, from about their errors.

    The second condition on the excess is that of the gradient, in which it is not squared.
    """
    eps = float(jnp.finfo(turn.dtype).eps)
    largest = jnp.max(distance)
    unit = jnp.where(largest == 0, 1, largest)
    square, error_of_square = (excess / unit) ** 2, 2 * jnp.abs(excess / unit) * (error / unit)
    turn, turn_errors = (zeroed(t, where) for t in (turn, jnp.full_like(turn, turn_error)))
    if weights is not None:
        a, b = jnp.abs(weights[0]), jnp.abs(weights[1]) * unit * unit
        a, b = (safe_ratio(weight, a + b) for weight in (a, b))
        errors = a * turn_errors + b * error_of_square
        return jnp.any(errors > _VALUE * eps * (a * turn + b * square))
    return (
        (jnp.sum(turn_errors) > _VALUE * eps * jnp.sum(turn))
        | (jnp.sum(error_of_square**2) > (_VALUE * eps * jnp.sum(square)) ** 2)
        | (jnp.sum((error / unit) ** 2) > (_GRADIENT * eps) ** 2 * jnp.sum(square))
    )


def _backward(
    residuals: _Residuals, bars: _Results
) -> tuple[Profiles, Profiles, Profiles, None, None, None]:
    r"""With unit vectors v^ and a^, and rho = r / |a|, which has a part o v^ along v.

    .. math::
        d cos / dv = (\rho - o v^) / |v|, d |v| / dv = v^,
        d cos / da = ((sin^2 + o cos) v^ - cos \rho) / -|a|, d |a| / da = (cos - o) v^ + \rho
    """
    cells, dt, speed, distance, found = residuals
    turn_bar, excess_bar, speed_bar = bars
    speed_bar, distance_bar = speed_bar + dt * excess_bar, -excess_bar
    per_speed, per_distance = safe_inverse(speed), safe_inverse(distance)
    overlap, sine_squared = found.overlap, found.turn * (2 - found.turn)
    cosine = jnp.where(found.slope < 0, found.turn - 1, 1 - found.turn)
    v_turn, a_turn = turn_bar * per_speed, turn_bar * per_distance
    along_v, rest_of_v = v_turn * overlap + speed_bar, -v_turn
    along_a = distance_bar * (cosine - overlap) - a_turn * (sine_squared + cosine * overlap)
    rest_of_a = distance_bar + a_turn * cosine

    def gradients(v_unit: Profiles, rho: Profiles) -> tuple[Profiles, Profiles, Profiles]:
        v_bar = along_v[:, None] * v_unit + rest_of_v[:, None] * rho
        f_bar = along_a[:, None] * v_unit + rest_of_a[:, None] * rho
        v, x, f, _ = cells
        return v_bar.astype(v.dtype), -f_bar.astype(x.dtype), f_bar.astype(f.dtype)

    def from_changes() -> tuple[Profiles, Profiles, Profiles]:
        v, x, f = cells.read()
        return gradients(v * per_speed[:, None], (f - x) * per_distance[:, None])

    def from_remainders() -> tuple[Profiles, Profiles, Profiles]:
        v, a = in_units(cells, speed, distance)
        v_scale, scale = power_of_two(speed) * per_speed, power_of_two(distance) * per_distance
        r = remainder(v, a, found.slope)
        return gradients(v * v_scale[:, None], r * scale[:, None])

    bars = lax.cond(jnp.any(found.slope != 0), from_remainders, from_changes)
    return (*bars, None, None, None)


compare_directions.defvjp(_forward, _backward)
