"""How far two vectors per cell differ in direction and in length, with its own derivative."""

import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Bool

from diffbio._numerics import safe_inverse, safe_ratio, zeroed
from diffbio._platform import Platform, by_platform
from diffbio.functional._directions.moments import (
    Cells,
    Mask,
    Moments,
    Number,
    PerCell,
    Profiles,
    moments_of,
    rounding_of,
    unit_of,
)
from diffbio.functional._directions.remainder import (
    Comparison,
    compared,
    exact_excess,
    no_remainder,
    remainder_in_units,
    remainder_of,
)

__all__ = ["compare_directions"]

Weights = tuple[Number, Number] | None
_Results = tuple[PerCell, PerCell, PerCell]
_Residuals = tuple[Cells, Number, PerCell, PerCell, PerCell, PerCell, PerCell]

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
    moments, slope, found = by_platform(_compare, cells, dt, weights)
    turn = jnp.where(slope < 0, 2 - found.turn, found.turn)
    residuals = cells, dt, moments.speed, moments.distance, slope, found.turn, found.overlap
    return (turn, found.excess, moments.speed), residuals


def _compare(
    platform: Platform, cells: Cells, dt: Number, weights: Weights
) -> tuple[Moments, PerCell, Comparison]:
    """The comparison and its slopes, from one pass over the inputs if that is accurate."""
    moments = moments_of(platform, cells)
    rounding = rounding_of(cells)

    def inaccurate(found: Comparison, turn_error: float) -> Bool[Array, ""]:
        return _inaccurate(found, turn_error, rounding, moments.distance, weights, cells.where)

    found = compared(moments, no_remainder(moments, dt), dt)
    remainder = lax.cond(
        _nearly_parallel(found, rounding, cells.where) | inaccurate(found, rounding),
        lambda: remainder_of(platform, cells, moments, dt),
        lambda: no_remainder(moments, dt),
    )
    found = compared(moments, remainder, dt)
    excess = lax.cond(
        inaccurate(found, 0.0),
        lambda: exact_excess(cells, moments, dt),
        lambda: found.excess,
    )
    return moments, remainder.slope, found._replace(excess=excess)


def _nearly_parallel(found: Comparison, rounding: float, where: Mask) -> Bool[Array, ""]:
    """Whether the gradient of some cell's cosine, which is as large as the sine, is inaccurate."""
    smallest = rounding / (_GRADIENT * float(jnp.finfo(found.turn.dtype).eps))
    parallel = found.turn * (2 - found.turn) < smallest**2
    return jnp.any(parallel if where is None else parallel & where)


def _inaccurate(
    found: Comparison,
    turn_error: float,
    rounding: float,
    distance: PerCell,
    weights: Weights,
    where: Mask,
) -> Bool[Array, ""]:
    """Whether the cosines or the squares of the excesses are, from about their errors.

    The last condition is that of the gradient, in which the excess is not squared.
    """
    eps = float(jnp.finfo(distance.dtype).eps)
    largest = jnp.max(distance)
    unit = jnp.where(largest == 0, 1, largest)
    excess, error = found.excess / unit, rounding / 2 * found.reach / unit
    square, square_errors = excess**2, 2 * jnp.abs(excess) * error
    turn, turn_errors = (zeroed(t, where) for t in (found.turn, jnp.full_like(error, turn_error)))
    if weights is not None:
        a, b = jnp.abs(weights[0]), jnp.abs(weights[1]) * unit * unit
        a, b = (safe_ratio(weight, a + b) for weight in (a, b))
        errors = a * turn_errors + b * square_errors
        return jnp.any(errors > _VALUE * eps * (a * turn + b * square))
    return (
        (jnp.sum(turn_errors) > _VALUE * eps * jnp.sum(turn))
        | (jnp.sum(square_errors**2) > (_VALUE * eps * jnp.sum(square)) ** 2)
        | (jnp.sum(error**2) > (_GRADIENT * eps) ** 2 * jnp.sum(square))
    )


def _backward(
    residuals: _Residuals, bars: _Results
) -> tuple[Profiles, Profiles, Profiles, None, None, None]:
    r"""With unit vectors v^ and a^, and rho = r / |a|, which has a part o v^ along v.

    .. math::
        d cos / dv = (\rho - o v^) / |v|, d |v| / dv = v^,
        d cos / da = ((sin^2 + o cos) v^ - cos \rho) / -|a|, d |a| / da = (cos - o) v^ + \rho
    """
    cells, dt, speed, distance, slope, turn, overlap = residuals
    turn_bar, excess_bar, speed_bar = bars
    speed_bar, distance_bar = speed_bar + dt * excess_bar, -excess_bar
    per_speed, per_distance = safe_inverse(speed), safe_inverse(distance)
    cosine, sine_squared = jnp.where(slope < 0, turn - 1, 1 - turn), turn * (2 - turn)
    v_turn, a_turn = turn_bar * per_speed, turn_bar * per_distance
    along_v, rest_of_v = v_turn * overlap + speed_bar, -v_turn
    along_a = distance_bar * (cosine - overlap) - a_turn * (sine_squared + cosine * overlap)
    rest_of_a = distance_bar + a_turn * cosine

    def gradients(
        v: Profiles, r: Profiles, per_v: PerCell, per_r: PerCell
    ) -> tuple[Profiles, Profiles, Profiles]:
        v_bar = (along_v * per_v)[:, None] * v + (rest_of_v * per_r)[:, None] * r
        f_bar = (along_a * per_v)[:, None] * v + (rest_of_a * per_r)[:, None] * r
        return (
            v_bar.astype(cells.v.dtype),
            -f_bar.astype(cells.x.dtype),
            f_bar.astype(cells.f.dtype),
        )

    def directly() -> tuple[Profiles, Profiles, Profiles]:
        v, x, f = cells.read()
        return gradients(v, f - x, per_speed, per_distance)

    def in_units() -> tuple[Profiles, Profiles, Profiles]:
        scales = unit_of(speed) * per_speed, unit_of(distance) * per_distance
        return gradients(*remainder_in_units(cells, speed, distance, slope), *scales)

    ordinary = (slope == 0) & _square_in_range(speed) & _square_in_range(distance)
    bars = lax.cond(jnp.all(ordinary), directly, in_units)
    return (*bars, None, None, None)


def _square_in_range(norm: PerCell) -> Bool[Array, " n_cells"]:
    """With room for the factors of the gradient; 0 counts, for it has no gradient."""
    largest = 2.0 ** (0.4 * jnp.finfo(norm.dtype).maxexp)
    return (norm == 0) | ((norm > 1 / largest) & (norm < largest))


compare_directions.defvjp(_forward, _backward)
