"""Within-cluster scatter ``sum_ik a_ik |x_i - c_k|^2`` from matrix products, in row blocks.

No ``(n_cells, n_clusters, dim)`` array is formed in either pass. Both functions expect
x centred near the origin: the gradient is made of products whose rounding grows with |x|.
"""

import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Float

from diffbio._blocks import over_row_blocks, read_rows, rows_for, write_rows
from diffbio._numerics import safe_inverse

__all__ = ["centroids_and_scatter", "scatter_about"]

Points = Float[Array, "n_cells dim"]
Assignments = Float[Array, "n_cells n_clusters"]
Centroids = Float[Array, "n_clusters dim"]


def _product(left: Array, right: Array) -> Array:
    return jnp.dot(left, right, precision=lax.Precision.HIGHEST)


def _block_size(x: Points, a: Assignments) -> int:
    elements_per_row = x.shape[1] + a.shape[1]
    wanted = rows_for(elements_per_row, budget=1 << 18, smallest=64, largest=8192)
    return min(x.shape[0], wanted)


def _scatter(x: Points, a: Assignments, c: Centroids) -> Float[Array, ""]:
    """``sum_ik a_ik |x_i - c_k|^2``, accurate however tight the clusters are.

    The textbook form ``|x|^2 - 2 x.c + |c|^2`` cancels when clusters are tight compared
    with their distances. Here every cell is measured from the centroid r it is assigned
    to most, y = x - c_r, and ``|x - c_k|^2 = |y|^2 + 2 y.(c_r - c_k) + |c_r - c_k|^2``.
    What is lost to rounding is then small against the term of r itself.
    """
    block = _block_size(x, a)
    between = jnp.sum((c[:, None] - c[None]) ** 2, axis=-1)

    def step(start, fresh, total):
        rows, weights = read_rows(x, start, block), read_rows(a, start, block)
        own = jnp.argmax(jnp.abs(weights), axis=1)
        y = rows - c[own]
        products = _product(y, c.T)
        own_product = jnp.take_along_axis(products, own[:, None], axis=1)
        own_distance = jnp.sum(y * y, axis=1, keepdims=True)
        distances = own_distance + 2 * (own_product - products) + between[own]
        return total + jnp.sum(jnp.where(fresh[:, None], weights * distances, 0))

    return over_row_blocks(x.shape[0], block, step, jnp.zeros((), x.dtype))


def _pull_back(
    x: Points,
    a: Assignments,
    m: Centroids,
    scatter_bar: Float[Array, ""],
    offset: Float[Array, " n_clusters"],
) -> tuple[Points, Assignments]:
    """``2 s t_i x_i - A m`` and ``s |x_i|^2 - X m^T + offset``, with s the cotangent.

    Each gradient is one product, since the cotangents of the scatter and of the
    centroids were added up in ``m`` beforehand.
    """
    block = _block_size(x, a)

    def step(start, _, gradients):
        x_bar, a_bar = gradients
        rows, weights = read_rows(x, start, block), read_rows(a, start, block)
        totals = jnp.sum(weights, axis=1, keepdims=True)
        squares = jnp.sum(rows * rows, axis=1, keepdims=True)
        rows_bar = 2 * scatter_bar * totals * rows - _product(weights, m)
        weights_bar = scatter_bar * squares - _product(rows, m.T) + offset
        return write_rows(x_bar, rows_bar, start), write_rows(a_bar, weights_bar, start)

    return over_row_blocks(x.shape[0], block, step, (jnp.zeros_like(x), jnp.zeros_like(a)))


@jax.custom_vjp
def scatter_about(x: Points, a: Assignments, c: Centroids) -> Float[Array, ""]:
    """``sum_ik a_ik |x_i - c_k|^2`` about the given centroids."""
    return _scatter(x, a, c)


def _scatter_about_forward(x, a, c):
    return _scatter(x, a, c), (x, a, c)


def _scatter_about_backward(residuals, scatter_bar):
    x, a, c = residuals
    m = 2 * scatter_bar * c
    x_bar, a_bar = _pull_back(x, a, m, scatter_bar, scatter_bar * jnp.sum(c * c, axis=1))
    c_bar = 2 * scatter_bar * (jnp.sum(a, axis=0)[:, None] * c - _product(a.T, x))
    return x_bar, a_bar, c_bar


scatter_about.defvjp(_scatter_about_forward, _scatter_about_backward)


@jax.custom_vjp
def centroids_and_scatter(x: Points, a: Assignments) -> tuple[Centroids, Float[Array, ""]]:
    """The weighted means c and the scatter about them; c is 0 where the weights sum to 0.

    The weighted mean minimises the scatter, so the scatter's derivative through c is
    zero and the backward pass leaves it out.
    """
    c = _weighted_means(x, a)
    return c, _scatter(x, a, c)


def _weighted_means(x: Points, a: Assignments) -> Centroids:
    return _product(a.T, x) * safe_inverse(jnp.sum(a, axis=0))[:, None]


def _centroids_and_scatter_forward(x, a):
    c, scatter = centroids_and_scatter(x, a)
    return (c, scatter), (x, a, c)


def _centroids_and_scatter_backward(residuals, cotangents):
    x, a, c = residuals
    c_bar, scatter_bar = cotangents
    per_weight = c_bar * safe_inverse(jnp.sum(a, axis=0))[:, None]
    m = 2 * scatter_bar * c - per_weight
    offset = jnp.sum(c * (scatter_bar * c - per_weight), axis=1)
    return _pull_back(x, a, m, scatter_bar, offset)


centroids_and_scatter.defvjp(_centroids_and_scatter_forward, _centroids_and_scatter_backward)
