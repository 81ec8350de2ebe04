"""Distances between all pairs of a few points, in blocks of rows."""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from diffbio._blocks import over_row_blocks, read_rows, rows_for, write_rows
from diffbio._numerics import safe_inverse, safe_norm

__all__ = ["pair_distances"]

Points = Float[Array, "n_points dim"]


@jax.custom_vjp
def pair_distances(points: Points) -> Float[Array, "n_points n_points"]:
    """``|p_k - p_l|``: exactly 0, without a gradient, for equal points.

    Both passes form the differences themselves. A product of points would be faster, but
    it loses the distance and the direction of points that lie close together. The passes
    take a block of rows at a time, so that no ``(n_points, n_points, dim)`` array is formed.
    """

    def step(start: Int[Array, ""], _: Array, distances: Array) -> Array:
        return write_rows(distances, safe_norm(_differences(points, start)), start)

    n_points = len(points)
    empty = jnp.zeros((n_points, n_points), points.dtype)
    return over_row_blocks(n_points, _block_size(points), step, empty)


def _block_size(points: Points) -> int:
    return rows_for(points.size, budget=1 << 20, smallest=1, largest=len(points))


def _differences(points: Points, start: Int[Array, ""]) -> Float[Array, "block n_points dim"]:
    return read_rows(points, start, _block_size(points))[:, None] - points[None]


def _pair_distances_forward(points: Points) -> tuple[Array, tuple[Points, Array]]:
    # The plain function, so that forward mode over this pass meets no custom rule.
    distances = pair_distances.fun(points)
    return distances, (points, distances)


def _pair_distances_backward(
    residuals: tuple[Points, Array], distances_bar: Array
) -> tuple[Points]:
    points, distances = residuals
    pulls = (distances_bar + distances_bar.T) * safe_inverse(distances)

    def step(start: Int[Array, ""], _: Array, points_bar: Array) -> Array:
        block_pulls = read_rows(pulls, start, _block_size(points))
        rows = jnp.sum(block_pulls[..., None] * _differences(points, start), axis=1)
        return write_rows(points_bar, rows, start)

    empty = jnp.zeros_like(points)
    return (over_row_blocks(len(points), _block_size(points), step, empty),)


pair_distances.defvjp(_pair_distances_forward, _pair_distances_backward)
