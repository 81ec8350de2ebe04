"""A small training of each model, whose losses are those of one device or of a mesh.

The cells are float64. In float32 a direction along which an objective does not change has a
gradient of rounding errors, and Adam makes whole steps of them.
"""

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import jax.numpy as jnp
import numpy as np
from flax import nnx

from diffbio import functional as F
from diffbio import models
from diffbio.datasets import simulate_clusters, simulate_velocity
from diffbio.sharding import sharded

N_CELLS = 101


class Training(NamedTuple):
    """A model, the cells that it learns from, and the objective.

    Attributes:
        model: makes the model.
        data: the arrays of all cells.
        objective: gets a mesh or None, and returns the objective.
    """

    model: Callable[[], nnx.Module]
    data: dict[str, Any]
    objective: Callable[[Any], Callable[..., Any]]


def over(mesh, loss):
    """The loss over a mesh, if there is one."""
    return loss if mesh is None else sharded(loss, mesh)


def _moved(values, batch, where):
    return jnp.sum(where * jnp.sum((values - batch["features"]) ** 2, axis=1)) / jnp.sum(where)


def _corrected(mesh):
    mixing = over(mesh, F.batch_mixing_loss)

    def objective(result, batch, where):
        corrected = result["corrected_features"]
        mixed = mixing(corrected, batch["batch_ids"], n_neighbors=7, where=where)
        return mixed + _moved(corrected, batch, where)

    return objective


def _clustered(mesh):
    compactness = over(mesh, F.clustering_compactness_loss)
    diversity = over(mesh, F.shannon_diversity)

    def objective(result, batch, where):
        z, q = result["embeddings"], result["cluster_assignments"]
        clusters = compactness(z, q, where=where) - diversity(q, over="clusters", where=where)
        return clusters + _moved(z, batch, where)

    return objective


def _of_kinetics(mesh):
    velocity = over(mesh, F.velocity_consistency_loss)

    def objective(result, batch, where):
        return velocity(batch["spliced"], result["velocity"], batch["future"], where=where)

    return objective


def _combined(mesh):
    combined = over(mesh, F.combined_loss)

    def objective(result, batch, where):
        return combined(
            result["embeddings"],
            batch["batch_ids"],
            result["assignments"],
            features=batch["features"],
            reconstructed=result["reconstructed"],
            mixing=partial(F.batch_mixing_loss, n_neighbors=7),
            where=where,
        ).total

    return objective


def _features():
    cells = simulate_clusters(N_CELLS, seed=0)
    features = cells.embeddings[:, :6] / np.sqrt(cells.embeddings[:, :6].var(axis=0).sum())
    return {"features": features.astype(np.float64), "batch_ids": cells.batch_labels}


def _kinetics():
    cells = simulate_velocity(N_CELLS, n_genes=20, seed=0)
    arrays = {
        "spliced": cells.expression,
        "unspliced": cells.expression + cells.velocity,
        "future": cells.future_expression,
    }
    return {name: array.astype(np.float64) for name, array in arrays.items()}


TRAININGS = {
    "batch corrector": Training(
        lambda: models.BatchCorrector(6, 3, n_hidden=8, rngs=nnx.Rngs(0)), _features(), _corrected
    ),
    "soft clusterer": Training(
        lambda: models.SoftClusterer(6, 4, n_hidden=8, rngs=nnx.Rngs(0)), _features(), _clustered
    ),
    "velocity model": Training(lambda: models.VelocityModel(20), _kinetics(), _of_kinetics),
    "integration autoencoder": Training(
        lambda: models.IntegrationAutoencoder(6, 3, 4, n_hidden=8, rngs=nnx.Rngs(0)),
        _features(),
        _combined,
    ),
}
