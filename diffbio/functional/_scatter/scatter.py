"""Within-cluster scatter ``sum_ik a_ik |x_i - c_k|^2 / n`` from matrix products.

No ``(n_cells, n_clusters, dim)`` array is formed in either pass. The products are of points that
are centred near 0, since the rounding of a product grows with |x|; the scatter does not
depend on where they lie. Clusters that are tight compared with their distances lose their digits
in products, and are summed up from differences instead.
"""

from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Bool, Float

from diffbio._blocks import varying_alike
from diffbio._numerics import n_counted, zeroed
from diffbio._shards import AxisName, first_counted, sum_of_all
from diffbio.functional._scatter.pairs import distances_between, pull_on_points
from diffbio.functional._scatter.tight import (
    Cells,
    heaviest_cells,
    pull_on_centroids,
    rewritten_if_tight,
    scatter_by_differences,
)

__all__ = ["scatter_about", "scatter_about_means"]

Points = Float[Array, "n_cells dim"]
Assignments = Float[Array, "n_cells n_clusters"]
Centroids = Float[Array, "n_clusters dim"]
Distances = Float[Array, "n_clusters n_clusters"]
PerCell = Float[Array, " n_cells"]
PerCluster = Float[Array, " n_clusters"]
Number = Float[Array, ""]
Alive = Bool[Array, " n_clusters"]
Mask = Bool[Array, " n_cells"] | None
_Flag = Bool[Array, ""]
# The count may be a constant, and a cotangent of booleans is no array of JAX.
_About = tuple[Cells, Centroids, Points, Array, PerCell, Any, _Flag]
_Parts = tuple[Centroids, Centroids]
_AboutMeans = tuple[Cells, _Parts, Distances, PerCluster, Points, PerCell, Any, _Flag]


def _has_weight(totals: Float[Array, "*shape"]) -> Bool[Array, "*shape"]:
    """Whether totals of assignments are large enough to divide by; NaN counts as large.

    The lower bound is ``tiny / eps`` of the dtype: 1e-31 in float32, 1e-292 in float64.
    Below it, the assignments that make up a total lose their digits or vanish, and its
    inverse times a coordinate may overflow.
    """
    numbers = jnp.finfo(totals.dtype)
    return ~(jnp.abs(totals) < numbers.tiny / numbers.eps)


def _inverse(totals: Float[Array, "*shape"]) -> Float[Array, "*shape"]:
    """``1 / totals``, and 0 without weight."""
    return jnp.where(_has_weight(totals), 1 / jnp.where(_has_weight(totals), totals, 1), 0)


def _product(left: Array, right: Array) -> Array:
    return jnp.dot(left, right, precision=lax.Precision.HIGHEST)


def _centred(x: Points, where: Mask, n: Number, axis_name: AxisName) -> tuple[Points, Array]:
    """The points about their centre, which is a constant, and the centre.

    It is the mean, or the first cell's coordinate where the two agree to half their digits.
    Identical cells then lie exactly at the centre. The selection also makes XLA round the
    mean. Without it, XLA may compute ``x - sum / n`` with one rounding in one place and two
    in another, so that cells and centroids have different centres.
    """
    constant = lax.stop_gradient(x)
    first = first_counted(constant, where, axis_name)
    mean = sum_of_all(jnp.sum(constant, axis=0), axis_name) / n
    agree = jnp.abs(mean - first) <= jnp.sqrt(jnp.finfo(x.dtype).eps) * jnp.abs(first)
    centre = jnp.where(agree, first, mean)[None]
    return x - centre, centre


def _scatter(
    x: Points, a: Assignments, totals: PerCell, c: Centroids, distances: Distances, n: Number
) -> Number:
    r"""``sum_ik a_ik |x_i - c_k|^2 / n``, in which nothing cancels but ``x_i - m_i``.

    The textbook form ``|x|^2 - 2 x.c + |c|^2`` cancels when clusters are tight compared
    with their distances. This one splits the scatter of a cell as a variance is split,
    about the mean of the centroids it is assigned to, into terms that are never negative:

    .. math:: t_i \lVert x_i - m_i \rVert^2
        + \frac{1}{2 t_i} \sum_{kl} a_{ik} a_{il} \lVert c_k - c_l \rVert^2,
        \quad t_i = \sum_k a_{ik}, \quad m_i = \frac{1}{t_i} \sum_k a_{ik} c_k
    """
    per_total = _inverse(totals)[:, None]
    from_mean = x - _product(a, c) * per_total
    spread = a * _product(a, distances**2) * (per_total / (2 * n))
    return jnp.sum((totals / n)[:, None] * from_mean * from_mean) + jnp.sum(spread)


def _are_tight(scatter: Number, of_centroids: Number) -> _Flag:
    r"""Whether the scatter is so small that products lose too many of its digits.

    The scatter S is compared with the mean M of ``a |x|^2``, which is S and that of the
    centroids, ``sum_k s_k |c_k|^2 / n``. Products round M by eps. With S above
    ``2 eps^{1/3} M``, the assignments keep gradients to ``eps^{2/3}``, and so do the
    coordinates: the root mean square of ``x_i - m_i`` is near ``S / sqrt M`` at least, also
    where most of S lies between the centroids that a cell is assigned to.
    """
    return scatter < 2 * jnp.cbrt(jnp.finfo(scatter.dtype).eps) * (scatter + of_centroids)


def _pull_back(
    x: Points,
    a: Assignments,
    totals: PerCell,
    m: Centroids,
    scatter_bar: Number,
    offset: PerCluster,
) -> tuple[Points, Assignments]:
    """``2 s t_i x_i - A m`` and ``s |x_i|^2 - X m^T + offset``, with s the cotangent.

    Each gradient is one product, since the cotangents of the scatter and of the
    centroids were added up in ``m`` beforehand.
    """
    squares = jnp.sum(x * x, axis=1, keepdims=True)
    x_bar = 2 * scatter_bar * totals[:, None] * x - _product(a, m)
    return x_bar, scatter_bar * squares - _product(x, m.T) + offset[None]


def scatter_about(
    x: Points, a: Assignments, c: Centroids, where: Mask, axis_name: AxisName
) -> Number:
    """``sum_ik a_ik |x_i - c_k|^2 / n`` about given centroids, over the n cells of all shards."""
    return sum_of_all(_scatter_about(axis_name, *varying_alike((x, a, c, where))), axis_name)


@partial(jax.custom_vjp, nondiff_argnums=(0,))
def _scatter_about(
    axis_name: AxisName, x: Points, a: Assignments, c: Centroids, where: Mask
) -> Number:
    return _scatter_about_forward(axis_name, x, a, c, where)[0]


def _scatter_about_forward(
    axis_name: AxisName, x: Points, a: Assignments, c: Centroids, where: Mask
) -> tuple[Number, _About]:
    # Plain functions only, so that forward mode over this pass meets no custom rule.
    cells = Cells(x, a, where)
    counted, n = cells.counted(), n_counted(a, where, axis_name)
    centred, centre = _centred(counted.x, where, n, axis_name)
    totals = jnp.sum(counted.a, axis=1)
    scatter = _scatter(centred, counted.a, totals, c - centre, distances_between(c), n)
    # The farthest centroid stands for all, since the clusters' sizes would take a pass.
    farthest = jnp.max(jnp.sum((c - centre) ** 2, axis=1))
    tight = _are_tight(scatter, jnp.sum(totals / n) * farthest)
    scatter = lax.cond(tight, lambda: scatter_by_differences(cells, (c,), n), lambda: scatter)
    return scatter, (cells, c, centred, centre, totals, n, tight)


def _scatter_about_backward(
    _: AxisName, residuals: _About, scatter_bar: Number
) -> tuple[Points, Assignments, Centroids, None]:
    cells, c, centred, centre, totals, n, tight = residuals
    s, about, a = scatter_bar / n, c - centre, cells.only_counted(cells.a)
    offset = s * jnp.sum(about * about, axis=1)
    gradients = _of_counted(cells, *_pull_back(centred, a, totals, 2 * s * about, s, offset))
    pulls = lax.cond(
        tight,
        lambda: pull_on_centroids(cells, (c,)),
        lambda: _product(a.T, centred) - jnp.sum(a, axis=0)[:, None] * about,
    )
    x_bar, a_bar = rewritten_if_tight(tight, cells, (c,), s, jnp.zeros_like(c), gradients)
    return x_bar, a_bar, -2 * s * pulls, None


_scatter_about.defvjp(_scatter_about_forward, _scatter_about_backward)


def _of_counted(cells: Cells, x_bar: Points, a_bar: Assignments) -> tuple[Points, Assignments]:
    """Gradients by the cells as they were given, 0 for cells and clusters that do not count."""
    return zeroed(x_bar, cells.where).astype(cells.x.dtype), cells.only_counted(a_bar)


def scatter_about_means(
    x: Points, a: Assignments, where: Mask, axis_name: AxisName
) -> tuple[Number, Distances, Alive]:
    """Scatter about the weighted means, distances between these, and which clusters have one.

    All are of all shards. The weighted mean minimises the scatter, so the scatter's
    derivative through c is zero and the backward pass leaves it out.
    """
    return _scatter_about_means(axis_name, *varying_alike((x, a, where)))


@partial(jax.custom_vjp, nondiff_argnums=(0,))
def _scatter_about_means(
    axis_name: AxisName, x: Points, a: Assignments, where: Mask
) -> tuple[Number, Distances, Alive]:
    return _scatter_about_means_forward(axis_name, x, a, where)[0]


def _scatter_about_means_forward(
    axis_name: AxisName, x: Points, a: Assignments, where: Mask
) -> tuple[tuple[Number, Distances, Alive], _AboutMeans]:
    counted = Cells(x, a, where).counted()
    n, sizes = n_counted(a, where, axis_name), sum_of_all(jnp.sum(counted.a, axis=0), axis_name)
    alive, per_size = _has_weight(sizes), _inverse(sizes)
    cells = Cells(x, a, where, alive)
    centred, _ = _centred(counted.x, where, n, axis_name)
    moments = sum_of_all(_product(counted.a.T, centred), axis_name)
    # The selection makes XLA round the product everywhere: equal clusters coincide exactly.
    c = jnp.where(alive[:, None], moments * per_size[:, None], 0)
    distances = distances_between(c)
    # A product selects the live clusters, where XLA would write out the selected assignments.
    totals = _product(counted.a, alive.astype(a.dtype))
    of_live = jnp.where(alive[:, None] & alive[None], distances, 0)
    scatter = sum_of_all(_scatter(centred, counted.a, totals, c, of_live, n), axis_name)
    tight = _are_tight(scatter, jnp.sum(sizes / n * jnp.sum(c * c, axis=1)))

    def by_differences() -> tuple[Number, Distances, _Parts]:
        anchors = heaviest_cells(cells, axis_name)
        pulls = sum_of_all(pull_on_centroids(cells, (anchors,)), axis_name)
        parts = anchors, pulls * per_size[:, None]
        scatter = sum_of_all(scatter_by_differences(cells, parts, n), axis_name)
        return scatter, distances_between(*parts), parts

    scatter, distances, parts = lax.cond(
        tight, by_differences, lambda: (scatter, distances, (jnp.zeros_like(c), c))
    )
    residuals = cells, parts, distances, per_size, centred, totals, n, tight
    return (scatter, distances, alive), residuals


def _scatter_about_means_backward(
    _: AxisName, residuals: _AboutMeans, cotangents: tuple[Number, Distances, Any]
) -> tuple[Points, Assignments, None]:
    cells, parts, distances, per_size, centred, totals, n, tight = residuals
    scatter_bar, distances_bar = cotangents[:2]
    s, c = scatter_bar / n, parts[1]
    per_weight = pull_on_points(distances, distances_bar, *parts) * per_size[:, None]
    m, offset = 2 * s * c - per_weight, jnp.sum(c * (s * c - per_weight), axis=1)
    gradients = _of_counted(cells, *_pull_back(centred, cells.a, totals, m, s, offset))
    return *rewritten_if_tight(tight, cells, parts, s, per_weight, gradients), None


_scatter_about_means.defvjp(_scatter_about_means_forward, _scatter_about_means_backward)
