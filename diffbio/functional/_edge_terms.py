"""What an edge contributes to the products of a cell loss, and to the gradients."""

from typing import NamedTuple

import jax.numpy as jnp
from jaxtyping import Array, Float

__all__ = ["Coefficients", "Columns", "Points", "coefficients_of", "terms"]

Points = tuple[Float[Array, "n_cells dim"], ...]
Columns = tuple[Array, ...]


def terms(d: Array, p: Array | None = None) -> tuple[Array, ...]:
    """The terms of the products; the last squares a difference, whose parts would cancel."""
    return (d * d,) if p is None else (d * d, d * p, (d - p) ** 2)


class Coefficients(NamedTuple):
    """Coefficients of the cotangents: ``along d + onto p`` for d, ``onto d + own p`` for p."""

    along: Float[Array, "n_neighbors n_cells"]
    onto: Float[Array, "n_neighbors n_cells"] | None = None
    own: Float[Array, " n_cells"] | None = None


def coefficients_of(
    squares_bar: Array, inner_bar: Array | None = None, misses_bar: Array | None = None
) -> Coefficients:
    """The coefficients that belong to the cotangents of the products."""
    if inner_bar is None or misses_bar is None:
        return Coefficients(2 * squares_bar)
    own = 2 * jnp.sum(misses_bar, axis=0)
    return Coefficients(2 * (squares_bar + misses_bar), inner_bar - 2 * misses_bar, own)
