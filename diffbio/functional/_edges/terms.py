"""What an edge contributes to the products of a cell loss, and to the gradients."""

from typing import NamedTuple

import jax.numpy as jnp
from jaxtyping import Array, Float

from diffbio.functional._edges.units import Units

__all__ = ["Coefficients", "Columns", "Points", "coefficients_of", "terms"]

Points = tuple[Float[Array, "n_cells dim"], ...]
Columns = tuple[Array, ...]


def terms(d: Array, p: Array | None = None) -> tuple[Array, ...]:
    """The addends of ``|d|^2``, ``d . p`` and ``|d - p|^2``.

    The last is not made of the others, since they would cancel.
    """
    return (d * d,) if p is None else (d * d, d * p, (d - p) ** 2)


class Coefficients(NamedTuple):
    """What the cotangents of an edge are made of.

    ``d_bar = along * d + onto * p`` and ``p_bar = onto * d + own * p / p_unit``.
    """

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
    return Coefficients(2 * (squares_bar + misses_bar), inner_bar - 2 * misses_bar, own)
