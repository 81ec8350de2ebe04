"""Within-cluster scatter ``sum_ik a_ik |x_i - c_k|^2`` from matrix products, in row blocks.

No ``(n_cells, n_clusters, dim)`` array is formed in either pass. Everything is measured
from a ``centre`` near the data, since the rounding of a product grows with |x|; the
result does not depend on it. Row sums are products with ones, which XLA's CPU backend
vectorises where it runs a reduction over the minor axis one entry at a time.
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
Centre = Float[Array, " dim"]


def _product(left: Array, right: Array) -> Array:
    return jnp.dot(left, right, precision=lax.Precision.HIGHEST)


def _row_sums(rows: Array) -> Array:
    return _product(rows, jnp.ones(rows.shape[1], rows.dtype))


def _with_ones(columns: Array) -> Array:
    """A column of ones appended, so that the same product also yields the row sums."""
    return jnp.concatenate([columns, jnp.ones((columns.shape[0], 1), columns.dtype)], axis=1)


def _block_size(x: Points, a: Assignments) -> int:
    elements_per_row = x.shape[1] + a.shape[1]
    wanted = rows_for(elements_per_row, budget=1 << 20, smallest=64, largest=16384)
    return min(x.shape[0], wanted)


def _scatter(x: Points, a: Assignments, centre: Centre, c: Centroids) -> Float[Array, ""]:
    r"""``sum_ik a_ik |x_i - c_k|^2``, accurate however tight the clusters are.

    The textbook form ``|x|^2 - 2 x.c + |c|^2`` cancels when clusters are tight compared
    with their distances. This one splits the scatter of a cell as a variance is split,
    about the mean of the centroids it is assigned to, into terms that are never negative:

    .. math:: t_i \lVert x_i - m_i \rVert^2
        + \frac{1}{2 t_i} \sum_{kl} a_{ik} a_{il} \lVert c_k - c_l \rVert^2,
        \quad t_i = \sum_k a_{ik}, \quad m_i = \frac{1}{t_i} \sum_k a_{ik} c_k
    """
    n_clusters, dim = c.shape
    block = _block_size(x, a)
    between = jnp.sum((c[:, None] - c[None]) ** 2, axis=-1)
    columns = _with_ones(jnp.concatenate([c, between], axis=1))

    def step(start, fresh, total):
        rows, weights = read_rows(x, start, block) - centre, read_rows(a, start, block)
        products = _product(weights, columns)
        totals = products[:, -1]
        per_total = safe_inverse(totals)
        from_mean = rows - products[:, :dim] * per_total[:, None]
        within = totals * _row_sums(from_mean * from_mean)
        spread = _row_sums(weights * products[:, dim : dim + n_clusters]) * per_total / 2
        return total + jnp.sum(jnp.where(fresh, within + spread, 0))

    return over_row_blocks(x.shape[0], block, step, jnp.zeros((), x.dtype))


def _pull_back(
    x: Points,
    a: Assignments,
    centre: Centre,
    m: Centroids,
    scatter_bar: Float[Array, ""],
    offset: Float[Array, " n_clusters"],
) -> tuple[Points, Assignments]:
    """``2 s t_i x_i - A m`` and ``s |x_i|^2 - X m^T + offset``, with s the cotangent.

    Each gradient is one product, since the cotangents of the scatter and of the
    centroids were added up in ``m`` beforehand.
    """
    block = _block_size(x, a)
    columns = _with_ones(m)

    def step(start, _, gradients):
        x_bar, a_bar = gradients
        rows, weights = read_rows(x, start, block) - centre, read_rows(a, start, block)
        products = _product(weights, columns)
        squares = _row_sums(rows * rows)[:, None]
        rows_bar = 2 * scatter_bar * products[:, -1:] * rows - products[:, :-1]
        weights_bar = scatter_bar * squares - _product(rows, m.T) + offset
        return write_rows(x_bar, rows_bar, start), write_rows(a_bar, weights_bar, start)

    return over_row_blocks(x.shape[0], block, step, (jnp.zeros_like(x), jnp.zeros_like(a)))


def _weighted_sums(x: Points, a: Assignments, centre: Centre) -> Centroids:
    """``A^T (X - centre)``, without the array in brackets."""
    block = _block_size(x, a)

    def step(start, fresh, sums):
        rows, weights = read_rows(x, start, block) - centre, read_rows(a, start, block)
        return sums + _product(jnp.where(fresh[:, None], weights, 0).T, rows)

    zeros = jnp.zeros((a.shape[1], x.shape[1]), x.dtype)
    return over_row_blocks(x.shape[0], block, step, zeros)


@jax.custom_vjp
def scatter_about(x: Points, a: Assignments, centre: Centre, c: Centroids) -> Float[Array, ""]:
    """``sum_ik a_ik |x_i - c_k|^2`` about centroids that are given relative to the centre."""
    return _scatter(x, a, centre, c)


def _scatter_about_forward(x, a, centre, c):
    return _scatter(x, a, centre, c), (x, a, centre, c)


def _scatter_about_backward(residuals, scatter_bar):
    x, a, centre, c = residuals
    m, offset = 2 * scatter_bar * c, scatter_bar * jnp.sum(c * c, axis=1)
    x_bar, a_bar = _pull_back(x, a, centre, m, scatter_bar, offset)
    pulls = jnp.sum(a, axis=0)[:, None] * c - _weighted_sums(x, a, centre)
    return x_bar, a_bar, jnp.zeros_like(centre), 2 * scatter_bar * pulls


scatter_about.defvjp(_scatter_about_forward, _scatter_about_backward)


@jax.custom_vjp
def centroids_and_scatter(
    x: Points, a: Assignments, centre: Centre
) -> tuple[Centroids, Float[Array, ""]]:
    """The weighted means relative to the centre, 0 without weight, and the scatter about them.

    The weighted mean minimises the scatter, so the scatter's derivative through c is
    zero and the backward pass leaves it out.
    """
    c = _weighted_sums(x, a, centre) * safe_inverse(jnp.sum(a, axis=0))[:, None]
    return c, _scatter(x, a, centre, c)


def _centroids_and_scatter_forward(x, a, centre):
    c, scatter = centroids_and_scatter(x, a, centre)
    return (c, scatter), (x, a, centre, c)


def _centroids_and_scatter_backward(residuals, cotangents):
    x, a, centre, c = residuals
    c_bar, scatter_bar = cotangents
    per_weight = c_bar * safe_inverse(jnp.sum(a, axis=0))[:, None]
    m = 2 * scatter_bar * c - per_weight
    offset = jnp.sum(c * (scatter_bar * c - per_weight), axis=1)
    return *_pull_back(x, a, centre, m, scatter_bar, offset), jnp.zeros_like(centre)


centroids_and_scatter.defvjp(_centroids_and_scatter_forward, _centroids_and_scatter_backward)
