"""What an edge contributes to the products of a cell loss, and to the gradients."""

from typing import NamedTuple

import jax.numpy as jnp
from jaxtyping import Array, Float

from diffbio.functional._edge_units import Units

__all__ = ["Coefficients", "Columns", "Points", "coefficients_of", "operands", "scaled", "terms"]

Points = tuple[Float[Array, "n_cells dim"], ...]
Columns = tuple[Array, ...]


def operands(
    units: Units, d: Array, p: Array | None = None, p_unit: Array | None = None
) -> tuple[Array, ...]:
    """What the terms multiply: d in the unit that is squared; p in its own unit, and in that."""
    per_unit = 1 / units.squared
    if p is None or p_unit is None:
        return (d * per_unit,)
    return d * per_unit, p * (1 / p_unit), p * per_unit


def terms(d: Array, p: Array | None = None, q: Array | None = None) -> tuple[Array, ...]:
    """The terms of the products; the last squares a difference, whose parts would cancel."""
    return (d * d,) if p is None or q is None else (d * d, d * p, (d - q) ** 2)


class Coefficients(NamedTuple):
    """Of the cotangents ``along d + onto p`` for d, ``onto d + own p / p_unit`` for p."""

    along: Float[Array, "n_neighbors n_cells"]
    onto: Float[Array, "n_neighbors n_cells"] | None = None
    own: Float[Array, " n_cells"] | None = None


def coefficients_of(units: Units, p_unit: Array | None, products_bar: Columns) -> Coefficients:
    """The coefficients that belong to the cotangents of the products.

    With a p they are those of a loss in the squared unit, which cancels the one that d and p
    are divided by.
    """
    squares_bar, *others = products_bar
    if not others or p_unit is None:
        return Coefficients(2 * squares_bar)
    inner_bar, misses_bar, own_bar = others
    ratio = units.squared / p_unit
    own = 2 * (jnp.sum(misses_bar, axis=0) * p_unit + own_bar * units.squared * ratio)
    return Coefficients(2 * (squares_bar + misses_bar), inner_bar * ratio - 2 * misses_bar, own)


def scaled(coefficients: Array, scales: Columns) -> Array:
    """The coefficients times the scales, one after the other, so that no square is formed."""
    for scale in scales:
        coefficients = coefficients * jnp.broadcast_to(scale, coefficients.shape)
    return coefficients
