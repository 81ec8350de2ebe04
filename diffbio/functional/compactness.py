"""Clustering compactness: tight clusters whose centroids keep a distance."""

from functools import partial

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float

from diffbio import _checks
from diffbio._numerics import in_accumulation_dtype
from diffbio._shards import AxisName
from diffbio._types import AnyArray, Scalar
from diffbio.functional._scatter.pairs import pair_distances
from diffbio.functional._scatter.scatter import scatter_about, scatter_about_means

__all__ = ["check_compactness_configuration", "clustering_compactness_loss"]


def clustering_compactness_loss(
    embeddings: Float[AnyArray, "n_cells dim"],
    assignments: Float[AnyArray, "n_cells n_clusters"],
    centroids: Float[AnyArray, "n_clusters dim"] | None = None,
    *,
    separation_weight: Scalar = 1.0,
    min_separation: Scalar = 1.0,
    where: Bool[AnyArray, " n_cells"] | None = None,
    axis_name: AxisName = None,
) -> Float[Array, ""]:
    r"""Mean squared distance to the centroids, plus a hinge on the centroids' distances.

    .. math::
        s_k = \sum_i a_{ik}, \quad c_k = \frac{1}{s_k} \sum_i a_{ik} x_i, \quad
        L = \frac{1}{N} \sum_{ik} a_{ik} \lVert x_i - c_k \rVert^2
          + \lambda \, \operatorname*{mean}_{k \ne l} \max(0, m - \lVert c_k - c_l \rVert)

    With ``L_inter = mean min(|c_k - c_l|, m)`` this is ``L_intra - lambda L_inter``, as in
    DiffBio's documentation, plus the constant ``lambda m``. Pushing centroids apart beyond
    m does not lower the loss.

    Args:
        embeddings: ``(n_cells, dim)`` floating coordinates x, any unit.
        assignments: ``(n_cells, n_clusters)`` soft assignments a, not negative.
        centroids: ``(n_clusters, dim)`` centroids c to use instead of the weighted means.
        separation_weight: lambda; may be traced.
        min_separation: m, a distance (not squared) in the unit of the embedding, at
            least 0; may be traced.
        where: ``(n_cells,)`` mask of the cells that count.
        axis_name: static; the mesh's axis over which the cells lie in shards, inside of
            ``jax.shard_map``. See :mod:`diffbio.sharding`.

    Returns:
        Scalar in ``promote_types(input, float32)``.

    Raises:
        ValueError: shapes that disagree, ``min_separation < 0``, non-finite configuration.
        TypeError: non-floating arrays, non-boolean mask.

    Gradient:
        With respect to all arrays, through the centroids too. A cluster whose total
        ``s_k`` is too small to divide by (below ``tiny / eps`` of the result's dtype: 1e-31
        in float32) has no weighted mean: it adds nothing, takes no part in the separation
        and passes no gradient on. Given centroids always take part. Coincident centroids
        cost m without a gradient; at a distance of exactly m the gradient is 0. Reverse
        mode only with respect to the arrays; second derivatives by forward over reverse
        mode, as in ``jax.hessian``, or twice reverse. Value and gradients keep their digits
        in tight clusters: where the first term is below 1 % (in float32) of the mean squared
        distance from the centre of all cells, they are computed from differences, in several
        times the time.

    Example:
        Two tight clusters, farther apart than ``min_separation``: only their width counts.

        >>> import jax.numpy as jnp
        >>> x = jnp.array([[0.0], [0.2], [3.0], [3.2]])
        >>> assignments = jnp.array([[1.0, 0.0], [1.0, 0.0], [0.0, 1.0], [0.0, 1.0]])
        >>> round(float(clustering_compactness_loss(x, assignments)), 4)
        0.01

    References:
        The first term is the objective of fuzzy k-means; the second is the margin of
        De Brabandere et al., Semantic instance segmentation with a discriminative loss
        function, 2017.
    """
    embeddings = _checks.floating("embeddings", embeddings, ("n_cells", "dim"))
    assignments = _checks.floating("assignments", assignments, ("n_cells", "n_clusters"))
    _checks.same_axis("n_cells", {"embeddings": (embeddings, 0), "assignments": (assignments, 0)})
    if centroids is not None:
        centroids = _checks.floating("centroids", centroids, ("n_clusters", "dim"))
        _checks.same_axis(
            "n_clusters", {"assignments": (assignments, 1), "centroids": (centroids, 0)}
        )
        _checks.same_axis("dim", {"embeddings": (embeddings, 1), "centroids": (centroids, 1)})
    separation_weight, min_separation = check_compactness_configuration(
        separation_weight, min_separation
    )
    where = _checks.mask(where, embeddings.shape[0])
    return _clustering_compactness_loss(
        embeddings,
        assignments,
        centroids,
        separation_weight,
        min_separation,
        where,
        axis_name=axis_name,
    )


def check_compactness_configuration(
    separation_weight: Scalar, min_separation: Scalar
) -> tuple[Scalar, Scalar]:
    """Raise for a configuration that no data could make valid; return its numbers."""
    return (
        _checks.finite("separation_weight", separation_weight),
        _checks.non_negative("min_separation", min_separation),
    )


@partial(jax.jit, static_argnames=("axis_name",))
def _clustering_compactness_loss(
    embeddings: Float[Array, "n_cells dim"],
    assignments: Float[Array, "n_cells n_clusters"],
    centroids: Float[Array, "n_clusters dim"] | None,
    separation_weight: Scalar,
    min_separation: Scalar,
    where: Bool[Array, " n_cells"] | None,
    *,
    axis_name: AxisName,
) -> Float[Array, ""]:
    # The scatter casts the coordinates where it reads them, so that no copy is kept.
    x, given = embeddings, [] if centroids is None else [centroids]
    _, a, *given = in_accumulation_dtype(x, assignments, *given)
    weight, margin = (jnp.asarray(s, a.dtype) for s in (separation_weight, min_separation))
    # (1/N) sum_ik a_ik |x_i - c_k|^2,  c_k = sum_i a_ik x_i / sum_i a_ik
    if given:
        (c,) = given
        scatter = scatter_about(x, a, c, where, axis_name)
        distances, alive = pair_distances(c), jnp.ones(c.shape[0], bool)
    else:
        scatter, distances, alive = scatter_about_means(x, a, where, axis_name)
    # + separation_weight * mean_kl max(0, m - |c_k - c_l|)
    return scatter + weight * _separation(distances, alive, margin)


def _separation(
    distances: Float[Array, "n_clusters n_clusters"],
    alive: Bool[Array, " n_clusters"],
    margin: Float[Array, ""],
) -> Float[Array, ""]:
    """Mean over ordered pairs of live clusters of ``max(0, m - |c_k - c_l|)``."""
    pairs = alive[:, None] & alive[None] & ~jnp.eye(len(alive), dtype=bool)
    shortfall = margin - distances
    hinge = jnp.where(pairs & (shortfall > 0), shortfall, 0)
    return jnp.sum(hinge) / jnp.maximum(jnp.sum(pairs, dtype=hinge.dtype), 1)
