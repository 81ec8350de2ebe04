"""Within-cluster scatter ``sum_ik a_ik |x_i - c_k|^2`` from matrix products.

No ``(n_cells, n_clusters, dim)`` array is formed in either pass. The points are to be
centred near 0, since the rounding of a product grows with |x|; the scatter does not
depend on where they lie.
"""

from functools import partial

import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Bool, Float

from diffbio._blocks import varying_alike
from diffbio._shards import AxisName, sum_of_all
from diffbio.functional._pairs import pair_distances

__all__ = ["centroids_and_scatter", "has_weight", "scatter_about"]

Points = Float[Array, "n_cells dim"]
Assignments = Float[Array, "n_cells n_clusters"]
Centroids = Float[Array, "n_clusters dim"]


def has_weight(totals: Float[Array, "*shape"]) -> Bool[Array, "*shape"]:
    """Whether totals of assignments are large enough to divide by; NaN counts as large.

    The lower bound is ``tiny / eps`` of the dtype: 1e-31 in float32, 1e-292 in float64.
    Below it, the assignments that make up a total lose their digits or vanish, and its
    inverse times a coordinate may overflow.
    """
    numbers = jnp.finfo(totals.dtype)
    return ~(jnp.abs(totals) < numbers.tiny / numbers.eps)


def _inverse(totals: Float[Array, "*shape"]) -> Float[Array, "*shape"]:
    """``1 / totals``, and 0 without weight."""
    return jnp.where(has_weight(totals), 1 / jnp.where(has_weight(totals), totals, 1), 0)


def _product(left: Array, right: Array) -> Array:
    return jnp.dot(left, right, precision=lax.Precision.HIGHEST)


def _scatter(x: Points, a: Assignments, c: Centroids) -> Float[Array, ""]:
    r"""``sum_ik a_ik |x_i - c_k|^2``, accurate however tight the clusters are.

    The textbook form ``|x|^2 - 2 x.c + |c|^2`` cancels when clusters are tight compared
    with their distances. This one splits the scatter of a cell as a variance is split,
    about the mean of the centroids it is assigned to, into terms that are never negative:

    .. math:: t_i \lVert x_i - m_i \rVert^2
        + \frac{1}{2 t_i} \sum_{kl} a_{ik} a_{il} \lVert c_k - c_l \rVert^2,
        \quad t_i = \sum_k a_{ik}, \quad m_i = \frac{1}{t_i} \sum_k a_{ik} c_k
    """
    totals = jnp.sum(a, axis=1, keepdims=True)
    per_total = _inverse(totals)
    from_mean = x - _product(a, c) * per_total
    spread = a * _product(a, pair_distances(c) ** 2) * per_total
    return jnp.sum(totals * from_mean * from_mean) + jnp.sum(spread) / 2


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
    totals = jnp.sum(a, axis=1, keepdims=True)
    squares = jnp.sum(x * x, axis=1, keepdims=True)
    x_bar = 2 * scatter_bar * totals * x - _product(a, m)
    return x_bar, scatter_bar * squares - _product(x, m.T) + offset[None]


def scatter_about(x: Points, a: Assignments, c: Centroids, axis_name: AxisName) -> Float[Array, ""]:
    """``sum_ik a_ik |x_i - c_k|^2`` about given centroids, over the cells of all shards."""
    return sum_of_all(_scatter_about(*varying_alike((x, a, c))), axis_name)


@jax.custom_vjp
def _scatter_about(x: Points, a: Assignments, c: Centroids) -> Float[Array, ""]:
    return _scatter(x, a, c)


def _scatter_about_forward(
    x: Points, a: Assignments, c: Centroids
) -> tuple[Float[Array, ""], tuple[Points, Assignments, Centroids]]:
    return _scatter(x, a, c), (x, a, c)


def _scatter_about_backward(
    residuals: tuple[Points, Assignments, Centroids], scatter_bar: Float[Array, ""]
) -> tuple[Points, Assignments, Centroids]:
    x, a, c = residuals
    m, offset = 2 * scatter_bar * c, scatter_bar * jnp.sum(c * c, axis=1)
    pulls = jnp.sum(a, axis=0)[:, None] * c - _product(a.T, x)
    return *_pull_back(x, a, m, scatter_bar, offset), 2 * scatter_bar * pulls


_scatter_about.defvjp(_scatter_about_forward, _scatter_about_backward)


def centroids_and_scatter(
    x: Points, a: Assignments, axis_name: AxisName
) -> tuple[Centroids, Float[Array, ""]]:
    """The weighted means, 0 without weight, and the scatter about them, of all shards.

    The weighted mean minimises the scatter, so the scatter's derivative through c is
    zero and the backward pass leaves it out.
    """
    return _centroids_and_scatter(axis_name, *varying_alike((x, a)))


@partial(jax.custom_vjp, nondiff_argnums=(0,))
def _centroids_and_scatter(
    axis_name: AxisName, x: Points, a: Assignments
) -> tuple[Centroids, Float[Array, ""]]:
    sizes = _sizes(a, axis_name)
    totals = sum_of_all(_product(a.T, x), axis_name)
    # The selection makes XLA round the product everywhere: equal clusters coincide exactly.
    c = jnp.where(has_weight(sizes)[:, None], totals * _inverse(sizes)[:, None], 0)
    return c, sum_of_all(_scatter(x, a, c), axis_name)


def _sizes(a: Assignments, axis_name: AxisName) -> Float[Array, " n_clusters"]:
    return sum_of_all(jnp.sum(a, axis=0), axis_name)


def _centroids_and_scatter_forward(
    axis_name: AxisName, x: Points, a: Assignments
) -> tuple[tuple[Centroids, Float[Array, ""]], tuple[Points, Assignments, Centroids]]:
    # The plain function, so that forward mode over this pass meets no custom rule.
    c, scatter = _centroids_and_scatter.fun(axis_name, x, a)
    return (c, scatter), (x, a, c)


def _centroids_and_scatter_backward(
    axis_name: AxisName,
    residuals: tuple[Points, Assignments, Centroids],
    cotangents: tuple[Centroids, Float[Array, ""]],
) -> tuple[Points, Assignments]:
    x, a, c = residuals
    c_bar, scatter_bar = cotangents
    per_weight = c_bar * _inverse(_sizes(a, axis_name))[:, None]
    m = 2 * scatter_bar * c - per_weight
    offset = jnp.sum(c * (scatter_bar * c - per_weight), axis=1)
    return _pull_back(x, a, m, scatter_bar, offset)


_centroids_and_scatter.defvjp(_centroids_and_scatter_forward, _centroids_and_scatter_backward)
