"""The combined objective: a weighted sum of the terms and of their gradients."""

import numpy as np

from reference.batch_mixing import batch_mixing_gradients, batch_mixing_loss
from reference.compactness import clustering_compactness_gradients, clustering_compactness_loss
from reference.counting import n_counted


def combined_loss(
    embeddings,
    batch_labels,
    assignments,
    features,
    reconstructed,
    *,
    weights=(0.5, 0.5, 1.0),
    where=None,
    **batch_options,
):
    """``(total, batch, cluster, reconstruction)``."""
    batch = batch_mixing_loss(embeddings, batch_labels, where=where, **batch_options)
    cluster = clustering_compactness_loss(embeddings, assignments, where=where)
    counted = slice(None) if where is None else np.asarray(where)
    misses = _misses(features, reconstructed)[counted]
    reconstruction = (misses**2).mean() if misses.size else 0.0
    terms = (batch, cluster, reconstruction)
    return sum(w * t for w, t in zip(weights, terms, strict=True)), *terms


def combined_gradients(
    embeddings,
    batch_labels,
    assignments,
    features,
    reconstructed,
    *,
    weights=(0.5, 0.5, 1.0),
    where=None,
    **batch_options,
):
    """Gradients of the total by embeddings, assignments and reconstruction."""
    w_batch, w_cluster, w_reconstruction = weights
    batch = batch_mixing_gradients(embeddings, batch_labels, where=where, **batch_options)
    cluster = clustering_compactness_gradients(embeddings, assignments, where=where)
    misses = _misses(features, reconstructed)
    if where is not None:
        misses = np.where(np.asarray(where)[:, None], misses, 0)
    n_entries = n_counted(misses, where) * misses.shape[1]
    return {
        "embeddings": w_batch * batch["embeddings"] + w_cluster * cluster["embeddings"],
        "assignments": w_cluster * cluster["assignments"],
        "reconstructed": w_reconstruction * 2 * misses / n_entries,
    }


def _misses(features, reconstructed):
    return np.asarray(reconstructed, dtype=np.float64) - np.asarray(features, dtype=np.float64)
