"""Single-cell losses as ``nnx.Module``: they hold configuration and no arrays.

The formulas, errors and gradients are those of the functions in
:mod:`diffbio.functional` that the modules call. ``rngs`` is accepted because NNX
constructors take it, and ignored: nothing here is random.

A number that changes during training, such as ``loss.temperature``, may be assigned
between calls. A direct call compiles nothing again for it. Inside ``nnx.jit``, with
the module as an argument, a Python number is part of the program, which is compiled again
for each new one; an array is an argument of the program, which is compiled once::

    loss.temperature = jnp.asarray(temperature)

Every module accepts ``axis_name``, the mesh's axis over which the cells lie in shards, and
hands it to its function; see :mod:`diffbio.sharding`.

A compiled function takes what it closes over, a module too, as constants. Hand the module
to the function as an argument, or later assignments do not reach the program.
"""

from typing import Any

import jax.numpy as jnp
from flax import nnx
from jaxtyping import Array, Bool, Float, Integer

from diffbio import _checks
from diffbio._shards import AxisName
from diffbio._types import AnyArray, Scalar, StaticInteger
from diffbio.functional._edges.neighborhood import NeighborLists
from diffbio.functional._mixing.proportions import checked_proportions
from diffbio.functional._mixing.settings import BatchMixingSettings, Proportions
from diffbio.functional._mixing.temperature import checked_temperature
from diffbio.functional.batch_mixing import RECOMMENDED_MIXING, batch_mixing_loss
from diffbio.functional.compactness import (
    check_compactness_configuration,
    clustering_compactness_loss,
)
from diffbio.functional.diversity import shannon_diversity, simpson_diversity
from diffbio.functional.temperature import Temperature
from diffbio.functional.transition import TransitionSettings, velocity_transition_loss
from diffbio.functional.velocity import check_velocity_configuration, velocity_consistency_loss
from diffbio.losses._module import Loss, shows_options

__all__ = [
    "BatchMixingLoss",
    "ClusteringCompactnessLoss",
    "ShannonDiversityLoss",
    "SimpsonDiversityLoss",
    "VelocityConsistencyLoss",
]


def _hashable(proportions: Proportions) -> Proportions:
    """A name, a tuple of numbers, or an array: NNX compares what is static, and takes arrays."""
    if isinstance(proportions, str):
        return proportions
    if isinstance(proportions, tuple | list) and all(isinstance(q, float) for q in proportions):
        return tuple(proportions)
    return _checks.as_array("proportions", proportions)


class BatchMixingLoss(Loss):
    """Negative mean batch entropy around each cell: lowest when batches are mixed.

    See :func:`diffbio.functional.batch_mixing_loss`. Add it to an objective; negated, it
    separates the batches. For real cells take :meth:`recommended`.

    Args:
        n_neighbors: neighbours per cell.
        n_batches: number of batches.
        temperature: a number, in the squared unit of the embedding, or for invariance to its
            scale :class:`~diffbio.functional.Local` or :class:`~diffbio.functional.Perplexity`.
        proportions: ``"uniform"``, ``"observed"``, or the batches' shares of a mixed cell.
        rngs: ignored.
        options: ``normalize``, ``index``, ``block_size`` and ``reduce`` of the function.

    Raises:
        ValueError: an impossible configuration.
        TypeError: an option that the function does not have, or of a wrong type.

    Example:
        >>> import jax.numpy as jnp
        >>> loss = BatchMixingLoss(n_neighbors=3, n_batches=2, normalize=True)
        >>> x = jnp.array([[0.0], [0.1], [0.2], [9.0], [9.1], [9.2]])
        >>> separated, mixed = jnp.array([0, 0, 0, 1, 1, 1]), jnp.array([0, 1, 0, 1, 0, 1])
        >>> bool(loss(x, mixed) < loss(x, separated))
        True
    """

    @shows_options(BatchMixingSettings)
    def __init__(
        self,
        n_neighbors: StaticInteger = 15,
        n_batches: StaticInteger = 3,
        temperature: Temperature = 1.0,
        *,
        proportions: Proportions = "uniform",
        rngs: nnx.Rngs | None = None,
        **options: Any,
    ) -> None:
        settings = BatchMixingSettings.of(
            n_neighbors=n_neighbors, n_batches=n_batches, proportions=proportions, **options
        )
        checked_temperature(temperature)
        self.temperature = temperature
        self.proportions = _hashable(proportions)
        checked_proportions(self.proportions, settings)
        self.settings = settings

    @classmethod
    def recommended(cls, n_batches: StaticInteger = 3, **options: Any) -> "BatchMixingLoss":
        """The loss at :data:`diffbio.functional.RECOMMENDED_MIXING`, with further options.

        Example:
            >>> BatchMixingLoss.recommended(n_batches=2, normalize=True).temperature
            Perplexity(perplexity=None)
        """
        return cls(n_batches=n_batches, **{**RECOMMENDED_MIXING, **options})

    def __call__(
        self,
        embeddings: Float[AnyArray, "n_cells dim"],
        batch_labels: Integer[AnyArray, " n_cells"],
        *,
        neighbor_indices: NeighborLists | None = None,
        where: Bool[AnyArray, " n_cells"] | None = None,
        axis_name: AxisName = None,
    ) -> Float[Array, "..."]:
        """The loss of ``(n_cells, dim)`` embeddings with ``(n_cells,)`` batch labels."""
        options = {**vars(self.settings), "proportions": self.proportions}
        return batch_mixing_loss(
            embeddings,
            batch_labels,
            temperature=self.temperature,
            neighbor_indices=neighbor_indices,
            where=where,
            axis_name=axis_name,
            **options,
        )


class ClusteringCompactnessLoss(Loss):
    """Mean squared distance to the centroids plus a hinge on their separation.

    See :func:`diffbio.functional.clustering_compactness_loss`.

    Args:
        separation_weight: weight of the separation.
        min_separation: distance between centroids beyond which nothing is gained.
        rngs: ignored.

    Raises:
        ValueError: an impossible configuration.

    Example:
        >>> import jax.numpy as jnp
        >>> x = jnp.array([[0.0], [0.2], [3.0], [3.2]])
        >>> assignments = jnp.array([[1.0, 0.0], [1.0, 0.0], [0.0, 1.0], [0.0, 1.0]])
        >>> round(float(ClusteringCompactnessLoss(min_separation=1.0)(x, assignments)), 4)
        0.01
        >>> round(float(ClusteringCompactnessLoss(min_separation=4.0)(x, assignments)), 4)
        1.01
    """

    def __init__(
        self,
        separation_weight: Scalar = 1.0,
        min_separation: Scalar = 1.0,
        *,
        rngs: nnx.Rngs | None = None,
    ) -> None:
        check_compactness_configuration(separation_weight, min_separation)
        self.separation_weight = separation_weight
        self.min_separation = min_separation

    def __call__(
        self,
        embeddings: Float[AnyArray, "n_cells dim"],
        assignments: Float[AnyArray, "n_cells n_clusters"],
        centroids: Float[AnyArray, "n_clusters dim"] | None = None,
        *,
        where: Bool[AnyArray, " n_cells"] | None = None,
        axis_name: AxisName = None,
    ) -> Float[Array, ""]:
        """The loss of ``(n_cells, dim)`` embeddings, ``(n_cells, n_clusters)`` assignments."""
        return clustering_compactness_loss(
            embeddings,
            assignments,
            centroids,
            separation_weight=self.separation_weight,
            min_separation=self.min_separation,
            where=where,
            axis_name=axis_name,
        )


class VelocityConsistencyLoss(Loss):
    """Disagreement of extrapolated and observed change, optionally with transitions.

    See :func:`diffbio.functional.velocity_consistency_loss` and
    :func:`diffbio.functional.velocity_transition_loss`, which is added with
    ``transition_weight`` and not computed at its default of 0.

    Args:
        dt: time step.
        cosine_weight: weight of the direction.
        magnitude_weight: weight of the length.
        transition_weight: weight of the transition term. With a traced weight the term is
            computed even if the weight is 0.
        n_neighbors: neighbours per cell in the transition term.
        transition_temperature: softmax temperature of the transition probabilities.
        rngs: ignored.

    Raises:
        ValueError: an impossible configuration.

    Example:
        >>> import jax.numpy as jnp
        >>> x, velocity = jnp.zeros((2, 2)), jnp.array([[1.0, 0.0], [0.0, 2.0]])
        >>> float(VelocityConsistencyLoss(dt=0.5)(x, velocity, x + 0.5 * velocity))
        0.0
    """

    def __init__(
        self,
        dt: Scalar = 0.1,
        cosine_weight: Scalar = 1.0,
        magnitude_weight: Scalar = 1.0,
        *,
        transition_weight: Scalar = 0.0,
        n_neighbors: StaticInteger = 30,
        transition_temperature: Scalar = 0.1,
        rngs: nnx.Rngs | None = None,
    ) -> None:
        check_velocity_configuration(dt, cosine_weight, magnitude_weight)
        _checks.finite("transition_weight", transition_weight)
        _checks.positive("transition_temperature", transition_temperature)
        self.dt = dt
        self.cosine_weight = cosine_weight
        self.magnitude_weight = magnitude_weight
        self.transition_weight = transition_weight
        self.settings = TransitionSettings.of(n_neighbors=n_neighbors)
        self.transition_temperature = transition_temperature

    def __call__(
        self,
        expression: Float[AnyArray, "n_cells n_genes"],
        velocity: Float[AnyArray, "n_cells n_genes"],
        future_expression: Float[AnyArray, "n_cells n_genes"],
        *,
        neighbor_indices: NeighborLists | None = None,
        where: Bool[AnyArray, " n_cells"] | None = None,
        axis_name: AxisName = None,
    ) -> Float[Array, ""]:
        """The loss of three ``(n_cells, n_genes)`` arrays."""
        loss = velocity_consistency_loss(
            expression,
            velocity,
            future_expression,
            dt=self.dt,
            cosine_weight=self.cosine_weight,
            magnitude_weight=self.magnitude_weight,
            where=where,
            axis_name=axis_name,
        )
        weight = _checks.finite("transition_weight", self.transition_weight)
        if _checks.is_zero(weight):
            return loss
        return loss + jnp.asarray(weight, loss.dtype) * velocity_transition_loss(
            expression,
            velocity,
            dt=self.dt,
            temperature=self.transition_temperature,
            neighbor_indices=neighbor_indices,
            where=where,
            axis_name=axis_name,
            **vars(self.settings),
        )


class ShannonDiversityLoss(Loss):
    """Mean Shannon entropy of the assignments in nats; higher is more diverse.

    See :func:`diffbio.functional.shannon_diversity`.

    Args:
        rngs: ignored.

    Example:
        >>> import jax.numpy as jnp
        >>> round(float(ShannonDiversityLoss()(jnp.full((5, 4), 0.25))), 4)
        1.3863
    """

    def __init__(self, *, rngs: nnx.Rngs | None = None) -> None:
        pass

    def __call__(
        self,
        assignments: Float[AnyArray, "n_cells n_clusters"],
        *,
        over: str = "cells",
        where: Bool[AnyArray, " n_cells"] | None = None,
        axis_name: AxisName = None,
    ) -> Float[Array, ""]:
        """The entropy of ``(n_cells, n_clusters)`` assignments."""
        return shannon_diversity(assignments, over=over, where=where, axis_name=axis_name)


class SimpsonDiversityLoss(Loss):
    """Mean Simpson concentration of the assignments; lower is more diverse.

    See :func:`diffbio.functional.simpson_diversity`.

    Args:
        rngs: ignored.

    Example:
        >>> import jax.numpy as jnp
        >>> float(SimpsonDiversityLoss()(jnp.full((5, 4), 0.25)))
        0.25
    """

    def __init__(self, *, rngs: nnx.Rngs | None = None) -> None:
        pass

    def __call__(
        self,
        assignments: Float[AnyArray, "n_cells n_clusters"],
        *,
        over: str = "cells",
        where: Bool[AnyArray, " n_cells"] | None = None,
        axis_name: AxisName = None,
    ) -> Float[Array, ""]:
        """The concentration of ``(n_cells, n_clusters)`` assignments."""
        return simpson_diversity(assignments, over=over, where=where, axis_name=axis_name)
