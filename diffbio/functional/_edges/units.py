"""The units in which edges are multiplied, so that no square leaves the range of floats.

All units are powers of 2: dividing by one rounds nothing, nor does multiplying by its inverse,
which is a normal number too.
"""

from typing import NamedTuple

import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Float

from diffbio._numerics import power_of_two
from diffbio._shards import AxisName, largest_of_all

__all__ = [
    "Units",
    "of_points",
    "of_rows",
    "of_temperature",
    "per_own_square",
    "scales_of_gradients",
    "times_units",
]


class Units(NamedTuple):
    """What points are divided by, and what becomes of their squares.

    Attributes:
        squared: what differences are divided by before they are squared. A constant 1 costs
            nothing, but the squares of lengths beyond 1e19 are then infinite in float32.
        per_square: what the squares are multiplied by, for derivatives near 1; None for a number
            of each cell, see :func:`per_own_square`. With a p the squares are left as they are.
        p: what the vector p of each cell is divided by, near its length; None for no p.
    """

    squared: Float[Array, ""] | float
    per_square: Float[Array, ""] | None = None
    p: Float[Array, " n_cells"] | None = None


def of_points(
    axis_name: AxisName,
    x: Float[Array, "n_cells dim"],
    p_units: Float[Array, " n_cells"] | None = None,
) -> Units:
    """Differences are squared in a unit far below the largest coordinate.

    In float32 the unit is 2^-40 of the largest coordinate. The square of the largest distance
    is then near 2^80, and that of a distance 2^85 times shorter is a normal number still. So
    cells keep their digits beside one that lies farther than they are apart by 25 orders of
    magnitude.
    """
    finfo = jnp.finfo(x.dtype)
    largest = jnp.max(jnp.abs(lax.stop_gradient(x)))
    if p_units is not None:
        largest = jnp.maximum(largest, jnp.max(p_units))
    largest = largest_of_all(largest, axis_name)
    unit = jnp.maximum(power_of_two(largest) / _headroom(x), finfo.tiny / finfo.eps)
    # NaN and infinity make the losses of their own cells NaN, not those of all cells.
    return Units(jnp.where(jnp.isfinite(largest), unit, 1), p=p_units)


def of_rows(p: Float[Array, "n_cells dim"]) -> Float[Array, " n_cells"]:
    """A unit near the largest entry of each row."""
    tiny = jnp.finfo(p.dtype).tiny
    return jnp.clip(power_of_two(jnp.max(jnp.abs(p), axis=1)), tiny, 1 / tiny)


def _headroom(like: Array) -> float:
    """The largest coordinate in the unit in which differences are squared."""
    return float(2.0 ** (5 * jnp.finfo(like.dtype).maxexp // 16))


def of_temperature(temperature: Float[Array, ""]) -> tuple[Units, Float[Array, ""]]:
    """Units in which a temperature above 1 is near 1, and the temperature in them.

    The derivative by a squared distance is of the size of ``1 / T``. In these units it
    keeps its digits where T is near the largest number.
    """
    smallest = jnp.finfo(temperature.dtype).tiny
    per_square = jnp.clip(power_of_two(1 / temperature), smallest, 1)
    return Units(1.0, per_square), temperature * per_square


def per_own_square(squares: Float[Array, "n_neighbors block"]) -> Float[Array, " block"]:
    """What brings each cell's squares near 1: their middle, from the least above 0 to the largest.

    The mean of two floats' bits, read as integers, is near their geometric mean. That of 0 and
    infinity, where there is no square above 0, is near 1.
    """
    least = jnp.min(squares, axis=0, where=squares > 0, initial=jnp.inf)
    largest = jnp.max(squares, axis=0)
    integer = jnp.dtype(f"int{jnp.finfo(squares.dtype).bits}")
    halves = [lax.bitcast_convert_type(each, integer) >> 1 for each in (least, largest)]
    return 1 / power_of_two(lax.bitcast_convert_type(halves[0] + halves[1], squares.dtype))


def scales_of_gradients(
    units: Units,
    per_own: Float[Array, " n_cells"] | None,
    losses_bar: Float[Array, " n_cells"],
) -> tuple[Float[Array, " n_cells"], Float[Array, ""] | float]:
    """What scales the coefficients of a cell's edges, and the vectors that they multiply.

    The product of both is what the squares were multiplied by, which may leave the range. It
    cancels in the gradient of a loss with a p, which is multiplied by the squared unit.
    """
    if units.p is not None:
        return losses_bar, 1.0
    if units.per_square is not None:
        return losses_bar, units.per_square
    assert per_own is not None
    per_unit, headroom = 1 / units.squared, _headroom(losses_bar)
    # In this order no product leaves the range before the last one would.
    return losses_bar * per_unit * per_own * headroom, per_unit / headroom


def times_units(array: Array, units: Units) -> Array:
    """``array * unit^2`` with a p, without the square of the unit, which may leave the range."""
    return array if units.p is None else array * units.squared * units.squared
