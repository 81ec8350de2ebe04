"""The combined objective of an integration model, with the weights that DiffBio recommends."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import NamedTuple, TypeAlias

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Integer, Real

from diffbio import _checks
from diffbio._numerics import in_accumulation_dtype, mean_over_cells, zeroed
from diffbio._shards import AxisName
from diffbio._types import AnyArray, Scalar
from diffbio.functional._edges.neighborhood import NeighborLists
from diffbio.functional.batch_mixing import batch_mixing_loss
from diffbio.functional.compactness import clustering_compactness_loss

__all__ = [
    "BALANCED",
    "CLEAR_CELL_TYPES",
    "STRONG_BATCH_EFFECTS",
    "CombinedLoss",
    "LossWeights",
    "combined_loss",
]


class LossWeights(NamedTuple):
    """Weights of the terms of :func:`combined_loss`; the default is :data:`BALANCED`.

    Attributes:
        batch: of batch mixing.
        cluster: of clustering compactness.
        reconstruction: of the mean squared error.

    Example:
        >>> LossWeights(batch=1.0)
        LossWeights(batch=1.0, cluster=0.5, reconstruction=1.0)
        >>> BALANCED == LossWeights()
        True
        >>> CLEAR_CELL_TYPES.cluster > CLEAR_CELL_TYPES.batch
        True
        >>> STRONG_BATCH_EFFECTS.batch > STRONG_BATCH_EFFECTS.cluster
        True
    """

    batch: Scalar = 0.5
    cluster: Scalar = 0.5
    reconstruction: Scalar = 1.0


# A loss of the cells with all its options.
Term: TypeAlias = Callable[..., Float[Array, ""]]
# By name, or in this order.
Weights = Sequence[Scalar] | Real[AnyArray, " 3"]

STRONG_BATCH_EFFECTS = LossWeights(batch=1.0, cluster=0.1)
CLEAR_CELL_TYPES = LossWeights(batch=0.3, cluster=1.0)
BALANCED = LossWeights(batch=0.5, cluster=0.5)


class CombinedLoss(NamedTuple):
    """The weighted total and its unweighted terms, each a scalar.

    Attributes:
        total: what to differentiate.
        batch: batch mixing.
        cluster: clustering compactness.
        reconstruction: the mean squared error, 0 without features.

    Example:
        >>> import jax.numpy as jnp
        >>> terms = combined_loss(jnp.eye(20), jnp.arange(20) % 3, jnp.eye(20))
        >>> terms._fields
        ('total', 'batch', 'cluster', 'reconstruction')
    """

    total: Float[Array, ""]
    batch: Float[Array, ""]
    cluster: Float[Array, ""]
    reconstruction: Float[Array, ""]


def combined_loss(
    embeddings: Float[AnyArray, "n_cells dim"],
    batch_labels: Integer[AnyArray, " n_cells"],
    assignments: Float[AnyArray, "n_cells n_clusters"],
    *,
    features: Float[AnyArray, "n_cells n_features"] | None = None,
    reconstructed: Float[AnyArray, "n_cells n_features"] | None = None,
    weights: Weights = BALANCED,
    mixing: Term = batch_mixing_loss,
    compactness: Term = clustering_compactness_loss,
    neighbor_indices: NeighborLists | None = None,
    centroids: Float[AnyArray, "n_clusters dim"] | None = None,
    where: Bool[AnyArray, " n_cells"] | None = None,
    axis_name: AxisName = None,
) -> CombinedLoss:
    r"""Weighted sum of batch mixing, clustering compactness and reconstruction.

    .. math::
        L = w_b L_{batch} + w_c L_{cluster} + w_r \operatorname{mean}((\hat f - f)^2)

    Every term is minimised; the batch term is not negated.

    Args:
        embeddings: ``(n_cells, dim)`` floating coordinates, any unit.
        batch_labels: ``(n_cells,)`` integers in ``[0, n_batches)``.
        assignments: ``(n_cells, n_clusters)`` soft assignments.
        features: ``(n_cells, n_features)`` what a decoder should reproduce.
        reconstructed: ``(n_cells, n_features)`` what it reproduced; given together with
            ``features`` or not at all, in which case the term is 0.
        weights: :class:`LossWeights`, three numbers in its order, as an array too, or a preset:
            :data:`STRONG_BATCH_EFFECTS`, :data:`CLEAR_CELL_TYPES`, :data:`BALANCED`;
            each may be traced.
        mixing: the batch term, with the options that it shall have: :func:`batch_mixing_loss`, a
            ``functools.partial`` of it, or a :class:`~diffbio.losses.BatchMixingLoss`. It is
            called with the embeddings, the labels, and by name ``neighbor_indices``, ``where``
            and ``axis_name``, and returns a scalar.
        compactness: the cluster term, likewise: called with the embeddings, the assignments, the
            centroids, and by name ``where`` and ``axis_name``.
        neighbor_indices: ``(n_cells, k')`` integers that replace the search of the batch term.
        centroids: ``(n_clusters, dim)`` for the cluster term; weighted means by default.
        where: ``(n_cells,)`` mask of the cells that count, for every term.
        axis_name: static; the mesh's axis over which the cells lie in shards, inside of
            ``jax.shard_map``. See :mod:`diffbio.sharding`.

    Returns:
        :class:`CombinedLoss`; differentiate its ``total``.

    Raises:
        ValueError, TypeError: as the terms do; ValueError if only one of ``features`` and
            ``reconstructed`` is given or their shapes differ.

    Gradient:
        The weighted sum of the terms' gradients, in reverse mode only; second derivatives by
        forward over reverse mode, as in ``jax.hessian``.

    Example:
        >>> from functools import partial
        >>> import jax
        >>> import jax.numpy as jnp
        >>> x, labels = jnp.array([[0.0], [1.0], [5.0], [6.0]]), jnp.array([0, 1, 0, 1])
        >>> assignments = jnp.array([[1.0, 0.0], [1.0, 0.0], [0.0, 1.0], [0.0, 1.0]])
        >>> mixing = partial(batch_mixing_loss, n_batches=2, n_neighbors=3)
        >>> def objective(x):
        ...     return combined_loss(
        ...         x, labels, assignments, mixing=mixing, weights=CLEAR_CELL_TYPES
        ...     )
        >>> terms = objective(x)
        >>> round(float(terms.total - 0.3 * terms.batch - 1.0 * terms.cluster), 4)
        0.0
        >>> jax.grad(lambda x: objective(x).total)(x).shape
        (4, 1)
    """
    weights = _loss_weights(weights)
    cells = {"where": where, "axis_name": axis_name}
    options = {"neighbor_indices": neighbor_indices, **cells}
    batch = _term("mixing", mixing, embeddings, batch_labels, **options)
    cluster = _term("compactness", compactness, embeddings, assignments, centroids, **cells)
    x = _checks.floating("embeddings", embeddings, ("n_cells", "dim"))
    reconstruction = _reconstruction(features, reconstructed, x, where, axis_name)
    w_batch, w_cluster, w_reconstruction = (jnp.asarray(w, batch.dtype) for w in weights)
    total = w_batch * batch + w_cluster * cluster + w_reconstruction * reconstruction
    return CombinedLoss(total, batch, cluster, reconstruction)


def _term(name: str, loss: Term, *arguments: object, **options: object) -> Array:
    """What a term returns, which must be a scalar."""
    if not callable(loss) or isinstance(loss, type):
        raise TypeError(f"{name} must be a function, a partial one or a module, got {loss!r}")
    return _checks.floating(f"the result of {name}", loss(*arguments, **options), ())


def _loss_weights(weights: object) -> LossWeights:
    """The three weights, by name."""
    names = LossWeights._fields
    if not isinstance(weights, tuple | list | str):
        array = _checks.as_array("weights", weights)
        if array.ndim == 1:
            _checks.when_known(_check_weights, array)
            weights = list(array)
    if not isinstance(weights, tuple | list) or len(weights) != len(names):
        raise TypeError(
            f"weights must be LossWeights or three numbers ({', '.join(names)}), got {weights!r}"
        )
    return LossWeights(
        *(_checks.finite(f"weights.{n}", weight) for n, weight in zip(names, weights, strict=True))
    )


def _check_weights(array: AnyArray) -> None:
    """Check the weights in an array, whose parts have no numbers while a program is traced."""
    for name, weight in zip(LossWeights._fields, np.asarray(array), strict=False):
        _checks.finite(f"weights.{name}", weight)


def _reconstruction(
    features: object,
    reconstructed: object,
    embeddings: Array,
    where: object,
    axis_name: AxisName,
) -> Float[Array, ""]:
    """Mean squared error over unmasked cells and all features; 0 without features."""
    if (features is None) != (reconstructed is None):
        missing = "features" if features is None else "reconstructed"
        raise ValueError(f"features and reconstructed go together, got no {missing}")
    if features is None:
        (like,) = in_accumulation_dtype(embeddings)
        return jnp.zeros((), like.dtype)
    arrays = {
        "features": _checks.floating("features", features, ("n_cells", "n_features")),
        "reconstructed": _checks.floating(
            "reconstructed", reconstructed, ("n_cells", "n_features")
        ),
    }
    _checks.same_axis("n_features", {name: (array, 1) for name, array in arrays.items()})
    arrays["embeddings"] = embeddings
    _checks.same_axis("n_cells", {name: (array, 0) for name, array in arrays.items()})
    counted = _checks.mask(where, embeddings.shape[0])
    return _mean_squared_error(
        arrays["features"], arrays["reconstructed"], counted, axis_name=axis_name
    )


@partial(jax.jit, static_argnames=("axis_name",))
def _mean_squared_error(
    features: Float[Array, "n_cells n_features"],
    reconstructed: Float[Array, "n_cells n_features"],
    where: Bool[Array, " n_cells"] | None,
    *,
    axis_name: AxisName,
) -> Float[Array, ""]:
    f, g = (zeroed(a, where) for a in in_accumulation_dtype(features, reconstructed))
    return mean_over_cells(jnp.mean((g - f) ** 2, axis=1), where, axis_name)
