"""The field's own measures, each by the package that defines it."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from diffbio.neighbors import Neighbors, nearest_neighbors

__all__ = [
    "N_LISI_NEIGHBORS",
    "clisi",
    "ilisi",
    "kbet",
    "lisi_neighbors",
    "silhouette",
    "velocity_confidence",
]

Array = np.ndarray

N_LISI_NEIGHBORS = 90
"""What scib-metrics takes by default, the cell itself among them."""


def lisi_neighbors(points: Array | jax.Array) -> Neighbors:
    """The neighbours that LISI takes: the 89 nearest other cells, or all where there are fewer."""
    return nearest_neighbors(jnp.asarray(points), min(N_LISI_NEIGHBORS, len(points)) - 1)


def ilisi(neighbors: Neighbors, batch_labels: Array) -> float:
    """scib-metrics' iLISI, scaled to [0, 1]; higher when batches are mixed.

    Args:
        neighbors: the 89 nearest other cells; scib-metrics wants the cell itself beside them.
        batch_labels: ``(n_cells,)`` integers.
    """
    from scib_metrics import ilisi_knn

    return float(ilisi_knn(_with_self(neighbors), batch_labels))


def clisi(neighbors: Neighbors, cluster_labels: Array) -> float:
    """scib-metrics' cLISI, scaled to [0, 1]; higher when types keep apart.

    Args:
        neighbors: the 89 nearest other cells.
        cluster_labels: ``(n_cells,)`` integers.
    """
    from scib_metrics import clisi_knn

    return float(clisi_knn(_with_self(neighbors), cluster_labels))


def kbet(neighbors: Neighbors, batch_labels: Array) -> float:
    """scib-metrics' kBET: the share of cells around which the batches are as among all cells.

    As many neighbours are tested as scib takes: a quarter of the mean batch, from 10 to 70.

    Args:
        neighbors: the 70 nearest other cells, or more.
        batch_labels: ``(n_cells,)`` integers.
    """
    import scib_metrics

    mean_batch = len(batch_labels) / len(np.unique(batch_labels))
    n_tested = int(np.clip(mean_batch // 4, 10, 70))
    tested = _with_self(neighbors).subset_neighbors(n_tested + 1)
    accepted, _, _ = scib_metrics.kbet(tested, batch_labels)
    return float(accepted)


def _with_self(neighbors: Neighbors) -> Any:
    """scib-metrics' record of neighbours, in which the first one is the cell itself."""
    from scib_metrics.nearest_neighbors import NeighborsResults

    # iLISI's loop carries JAX's default precision and refuses distances of another one.
    distances = np.sqrt(np.asarray(neighbors.squared_distances, dtype=jnp.result_type(float)))
    return NeighborsResults(
        indices=np.insert(np.asarray(neighbors.indices), 0, np.arange(len(distances)), axis=1),
        distances=np.insert(distances, 0, 0, axis=1),
    )


def silhouette(embeddings: Array, labels: Array) -> float:
    """scikit-learn's silhouette score; higher for tight clusters far apart.

    Args:
        embeddings: ``(n_cells, dim)``.
        labels: ``(n_cells,)`` integers.
    """
    from sklearn.metrics import silhouette_score

    return float(silhouette_score(embeddings, labels))


def velocity_confidence(velocity: Array, neighbors: Neighbors) -> float:
    """scVelo's velocity confidence, the mean over cells; higher where neighbours agree.

    A cell's confidence is the mean correlation, over genes, of its velocity with those of its
    nearest cells, and 0 where that is negative.

    Args:
        velocity: ``(n_cells, n_genes)``.
        neighbors: the nearest other cells.
    """
    import scvelo
    from anndata import AnnData
    from scipy.sparse import csr_matrix

    n_cells, n_neighbors = neighbors.indices.shape
    cells = AnnData(layers={"velocity": velocity}, shape=velocity.shape)
    starts = np.arange(0, n_cells * n_neighbors + 1, n_neighbors)
    distances = np.sqrt(np.asarray(neighbors.squared_distances)).ravel()
    cells.obsp["distances"] = csr_matrix(
        (distances, np.asarray(neighbors.indices).ravel(), starts), shape=(n_cells, n_cells)
    )
    # scVelo leaves out a second measure, which needs a graph, where its column is there.
    cells.obs["velocity_confidence_transition"] = 0.0
    scvelo.settings.verbosity = 0
    scvelo.tl.velocity_confidence(cells)
    return float(cells.obs["velocity_confidence"].mean())
