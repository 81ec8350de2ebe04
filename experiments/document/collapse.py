"""What the document claims of diversity beside compactness, and how each claim is tested.

Soft clusters are trained with ``compactness - weight * diversity``, as the document advises. The
diversity is the document's, the mean over the cells, or that of the clusters' sizes.
"""

from collections.abc import Mapping
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from sklearn.metrics import adjusted_rand_score

from diffbio.datasets import simulate_clusters
from diffbio.functional import clustering_compactness_loss, shannon_diversity
from experiments.document.full_batch import trained
from experiments.experiment import Claim, Found, Size

__all__ = ["CLAIMS"]

_N_CLUSTERS, _DIM = 8, 10
_REACHED = 0.95

# Weights of the diversity per cell and over clusters; compactness at the true clusters is 0.5.
_ALONE = (0.0, 0.0)
_CONDITIONS = {
    **{f"per cell, weight {weight:g}": (weight, 0.0) for weight in (0.5, 2.0, 5.0, 20.0)},
    **{f"over clusters, weight {weight:g}": (0.0, weight) for weight in (0.5, 5.0, 20.0, 200.0)},
}

_Parameters = Mapping[str, jax.Array]


class _Clusters(NamedTuple):
    """What a training ended with.

    Attributes:
        agreement: adjusted Rand index of the hard clusters with the true ones.
        largest: share of the cells in the largest hard cluster.
        certainty: mean of the cells' highest assignment.
    """

    agreement: float
    largest: float
    certainty: float


def _reaches_true_clusters(seed: int, size: Size) -> dict[str, Found]:
    """Train the assignments alone, in an embedding that shows the clusters."""
    alone, others = _trained(seed, size, train_embedding=False)

    def found(clusters: _Clusters) -> Found:
        reached, without = (float(c.agreement >= _REACHED) for c in (clusters, alone))
        return Found(
            reached - without,
            {"reached": reached, "reached without": without, "certainty": clusters.certainty},
        )

    return {condition: found(clusters) for condition, clusters in others.items()}


def _avoids_one_cluster(seed: int, size: Size) -> dict[str, Found]:
    """Train the embedding as well, as the document's example does."""
    alone, others = _trained(seed, size, train_embedding=True)

    def found(clusters: _Clusters) -> Found:
        numbers = {
            "largest cluster": clusters.largest,
            "without": alone.largest,
            "ARI": clusters.agreement,
            "ARI without": alone.agreement,
            "certainty": clusters.certainty,
        }
        return Found(alone.largest - clusters.largest, numbers)

    return {condition: found(clusters) for condition, clusters in others.items()}


def _trained(
    seed: int, size: Size, *, train_embedding: bool
) -> tuple[_Clusters, dict[str, _Clusters]]:
    """The clusters of compactness alone, and those of every condition, from the same start."""
    cells = simulate_clusters(
        size.n_cells, n_clusters=_N_CLUSTERS, n_batches=1, batch_effect=0.0, seed=seed
    )
    x = jnp.asarray(cells.embeddings)[:, :_DIM]
    x = x / jnp.std(x)
    weights = jnp.asarray([_ALONE, *_CONDITIONS.values()])
    ends = trained(
        _objective,
        _start(seed, train_embedding),
        weights,
        x,
        rate=0.01 if train_embedding else 0.05,
        n_steps=size.n_steps,
    )
    _, assignments = jax.vmap(_model, in_axes=(0, None))(ends, x)
    labels = np.asarray(cells.cluster_labels)
    alone, *others = (_clusters(np.asarray(soft), labels) for soft in assignments)
    return alone, dict(zip(_CONDITIONS, others, strict=True))


def _start(seed: int, train_embedding: bool) -> _Parameters:
    """Random linear maps; without an embedding in it, the cells are their own embedding."""
    slope, embedding = jax.random.split(jax.random.key(seed))
    parameters = {
        "slope": jax.random.normal(slope, (_DIM, _N_CLUSTERS)) / np.sqrt(_DIM),
        "offset": jnp.zeros(_N_CLUSTERS),
    }
    if train_embedding:
        parameters["embedding"] = jax.random.normal(embedding, (_DIM, _DIM)) / np.sqrt(_DIM)
    return parameters


def _model(parameters: _Parameters, cells: jax.Array) -> tuple[jax.Array, jax.Array]:
    """Embeddings and soft assignments."""
    embeddings = cells @ parameters["embedding"] if "embedding" in parameters else cells
    return embeddings, jax.nn.softmax(embeddings @ parameters["slope"] + parameters["offset"])


def _objective(parameters: _Parameters, weights: jax.Array, cells: jax.Array) -> jax.Array:
    embeddings, assignments = _model(parameters, cells)
    per_cell = shannon_diversity(assignments)
    over_clusters = shannon_diversity(assignments, over="clusters")
    compactness = clustering_compactness_loss(embeddings, assignments)
    return compactness - weights @ jnp.stack([per_cell, over_clusters])


def _clusters(assignments: np.ndarray, labels: np.ndarray) -> _Clusters:
    hard = assignments.argmax(axis=1)
    return _Clusters(
        agreement=float(adjusted_rand_score(labels, hard)),
        largest=float(np.bincount(hard).max() / len(hard)),
        certainty=float(assignments.max(axis=1).mean()),
    )


CLAIMS = (
    Claim(
        "Shannon diversity",
        "Subtracted from compactness it leads to the true clusters",
        _reaches_true_clusters,
        many=True,
    ),
    Claim(
        "Shannon diversity",
        "Subtracted from compactness it avoids that all cells fall into one cluster",
        _avoids_one_cluster,
        many=True,
    ),
)
