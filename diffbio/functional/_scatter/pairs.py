"""Distances between all pairs of a few points, in blocks of rows.

Points may come in parts that add up to them, a large one first, so that the differences of points
that lie close together keep their digits.
"""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from diffbio._blocks import over_row_blocks, read_rows, rows_for, write_rows
from diffbio._numerics import safe_inverse, safe_norm

__all__ = ["distances_between", "pair_distances", "pull_on_points"]

Points = Float[Array, "n_points dim"]
Distances = Float[Array, "n_points n_points"]


@jax.custom_vjp
def pair_distances(points: Points) -> Distances:
    """``|p_k - p_l|``: exactly 0, without a gradient, for equal points."""
    return distances_between(points)


def distances_between(*parts: Points) -> Distances:
    """``pair_distances`` of the sum of the parts, without a derivative of its own.

    It serves in a forward pass, where forward mode would stop at a custom rule; the backward
    pass then takes ``pull_on_points``. Both form the differences themselves. A product of
    points would be faster, but it loses the distance and the direction of points that lie
    close together. Both take a block of rows at a time, so that no
    ``(n_points, n_points, dim)`` array is formed.
    """

    def step(start: Int[Array, ""], _: Array, distances: Array) -> Array:
        return write_rows(distances, safe_norm(_differences(parts, start)), start)

    n_points, block = len(parts[0]), _block_size(parts[0])
    empty = jnp.zeros((n_points, n_points), parts[0].dtype)
    return over_row_blocks(n_points, block, step, empty)


def pull_on_points(distances: Distances, distances_bar: Distances, *parts: Points) -> Points:
    """The cotangent of the points whose distances have this cotangent."""
    pulls = (distances_bar + distances_bar.T) * safe_inverse(distances)
    block = _block_size(parts[0])

    def step(start: Int[Array, ""], _: Array, points_bar: Array) -> Array:
        block_pulls = read_rows(pulls, start, block)
        rows = jnp.sum(block_pulls[..., None] * _differences(parts, start), axis=1)
        return write_rows(points_bar, rows, start)

    return over_row_blocks(len(pulls), block, step, jnp.zeros_like(parts[0]))


def _block_size(points: Points) -> int:
    return rows_for(points.size, budget=1 << 20, smallest=1, largest=len(points))


def _differences(
    parts: tuple[Points, ...], start: Int[Array, ""]
) -> Float[Array, "block n_points dim"]:
    block = _block_size(parts[0])
    of_large, *of_small = (read_rows(part, start, block)[:, None] - part[None] for part in parts)
    return sum(of_small, of_large)


def _pair_distances_forward(points: Points) -> tuple[Distances, tuple[Points, Distances]]:
    distances = distances_between(points)
    return distances, (points, distances)


def _pair_distances_backward(
    residuals: tuple[Points, Distances], distances_bar: Distances
) -> tuple[Points]:
    points, distances = residuals
    return (pull_on_points(distances, distances_bar, points),)


pair_distances.defvjp(_pair_distances_forward, _pair_distances_backward)
