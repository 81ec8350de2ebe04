"""Keep clusters in use: the entropy over clusters beside compactness, and the one per cell."""

import jax.numpy as jnp
import numpy as np
from common import arguments, panels, principal_axes, purity, scatter, write
from flax import nnx

from diffbio.datasets import simulate_clusters
from diffbio.functional import clustering_compactness_loss, shannon_diversity
from diffbio.models import SoftClusterer
from diffbio.training import fit

options = arguments(__doc__)
N_TYPES, N_SEEDS = 8, 3
cells = simulate_clusters(1000, n_clusters=N_TYPES, batch_effect=0.0)
features = cells.embeddings / np.sqrt(cells.embeddings.var(axis=0).sum())
data = {"features": features}
# Per cell, entropy blurs the assignments. Over clusters, it balances their sizes.
TERMS = {"compactness alone": (0.0, "cells"), "entropy per cell": (0.1, "cells"),
         "entropy over clusters": (1.0, "clusters")}  # fmt: skip


def clustered(weight: float, over: str, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Embeddings and clusters of a training with this diversity term."""

    def objective(result, batch, where):
        embeddings, assignments = result["embeddings"], result["cluster_assignments"]
        compactness = clustering_compactness_loss(embeddings, assignments, where=where)
        diversity = shannon_diversity(assignments, over=over, where=where)
        squares = jnp.sum((embeddings - batch["features"]) ** 2, axis=1)
        moved = jnp.sum(where * squares) / jnp.sum(where)
        return compactness - weight * diversity + 3 * moved

    model = SoftClusterer(features.shape[1], N_TYPES, rngs=nnx.Rngs(seed))
    fit(model, data, objective, n_steps=options.n_steps, learning_rate=1e-2, progress=False)
    result, _, _ = model.apply(data, {}, None)
    return tuple(np.asarray(result[key]) for key in ("embeddings", "cluster_assignments"))


figure, axes = panels(1, len(TERMS))
for column, (title, term) in enumerate(TERMS.items()):
    runs = [clustered(*term, seed) for seed in range(N_SEEDS)]
    shares = [purity(assignments.argmax(axis=1), cells.cluster_labels) for _, assignments in runs]
    listed = ", ".join(f"{share:.1%}" for share in shares)
    print(f"{title:22s} cells in a cluster of mostly their type, by seed: {listed}")
    places = features @ principal_axes(features)
    scatter(axes[0, column], places, runs[0][1].argmax(axis=1), f"{title}: {shares[0]:.0%}")
write(figure, options.output, "diversity.png")
