"""The trainings that are measured: one per model, with the loss that it is trained with."""

import functools
from collections.abc import Callable
from typing import Any, NamedTuple

import jax.numpy as jnp
import numpy as np
from flax import nnx

import diffbio.functional as F
from benchmarks.catalog.cases import Arrays, simulated_cells
from diffbio import models
from diffbio.losses import BatchMixingLoss

__all__ = ["ALL_TRAININGS", "TrainingCase", "training"]

Loss = Callable[[Arrays, Arrays, Any], Any]

_N_CELLS, _N_FEATURES = 4096, 30
_N_GENES = 2000
_N_BATCHES, _N_CLUSTERS = 3, 8


class TrainingCase(NamedTuple):
    """A model, the cells it learns from, and what it minimises.

    Attributes:
        name: identifier, the first parameter of its benchmarks.
        model: makes the model, one of ``diffbio.models``.
        data: makes the arrays of all cells, by name.
        loss: the losses of this library, of the model's results, the minibatch and the
            mask of its cells; their share of a step is measured.
        objective: what the training minimises, of the same arguments: the loss, and what
            holds the model to its data.
    """

    name: str
    model: Callable[[], Any]
    data: Callable[[], Arrays]
    loss: Loss
    objective: Loss


def training(name: str) -> TrainingCase:
    """The training of that name."""
    return _BY_NAME[name]


@functools.cache
def _features() -> Arrays:
    """Principal components with a total variance of 1, and their batches."""
    cells = simulated_cells("clusters", _N_CELLS, 0).arrays()
    components = cells["embeddings"][:, :_N_FEATURES]
    scale = np.sqrt(components.var(axis=0).sum())
    return {"features": components / scale, "batch_ids": cells["batch_labels"]}


@functools.cache
def _kinetics() -> Arrays:
    """Spliced RNA now and later, and the unspliced RNA of kinetics whose rates are 1."""
    cells = simulated_cells("kinetics", _N_CELLS, 0).arrays()
    return {
        "spliced": cells["expression"],
        "unspliced": cells["expression"] + cells["velocity"],
        "future_spliced": cells["future_expression"],
    }


def _moved(values: Any, batch: Arrays, where: Any) -> Any:
    """Mean squared move of the counted cells."""
    squares = jnp.sum((values - batch["features"]) ** 2, axis=1)
    return jnp.sum(where * squares) / jnp.sum(where)


def _mixing(result: Arrays, batch: Arrays, where: Any) -> Any:
    mixing = BatchMixingLoss.recommended(_N_BATCHES, normalize=True)
    return mixing(result["corrected_features"], batch["batch_ids"], where=where)


def _corrected(result: Arrays, batch: Arrays, where: Any) -> Any:
    mixing = _mixing(result, batch, where)
    return mixing + _moved(result["corrected_features"], batch, where)


def _clusters(result: Arrays, batch: Arrays, where: Any) -> Any:
    assignments = result["cluster_assignments"]
    compactness = F.clustering_compactness_loss(result["embeddings"], assignments, where=where)
    return compactness - 0.1 * F.shannon_diversity(assignments, over="clusters", where=where)


def _clustered(result: Arrays, batch: Arrays, where: Any) -> Any:
    return _clusters(result, batch, where) + 3 * _moved(result["embeddings"], batch, where)


def _velocity(result: Arrays, batch: Arrays, where: Any) -> Any:
    return F.velocity_consistency_loss(
        batch["spliced"], result["velocity"], batch["future_spliced"], where=where
    )


def _combined(result: Arrays, batch: Arrays, where: Any) -> Any:
    return F.combined_loss(
        result["embeddings"],
        batch["batch_ids"],
        result["assignments"],
        features=batch["features"],
        reconstructed=result["reconstructed"],
        mixing=BatchMixingLoss.recommended(_N_BATCHES),
        where=where,
    ).total


ALL_TRAININGS = (
    TrainingCase(
        "batch_corrector",
        lambda: models.BatchCorrector(_N_FEATURES, _N_BATCHES, rngs=nnx.Rngs(0)),
        _features,
        _mixing,
        _corrected,
    ),
    TrainingCase(
        "soft_clusterer",
        lambda: models.SoftClusterer(_N_FEATURES, _N_CLUSTERS, rngs=nnx.Rngs(0)),
        _features,
        _clusters,
        _clustered,
    ),
    TrainingCase(
        "velocity_model",
        lambda: models.VelocityModel(_N_GENES),
        _kinetics,
        _velocity,
        _velocity,
    ),
    TrainingCase(
        "integration_autoencoder",
        lambda: models.IntegrationAutoencoder(
            _N_FEATURES, _N_BATCHES, _N_CLUSTERS, rngs=nnx.Rngs(0)
        ),
        _features,
        _combined,
        _combined,
    ),
)
_BY_NAME = {each.name: each for each in ALL_TRAININGS}
