"""Cluster real cells with the compactness loss, and compare with their published types."""

import jax.numpy as jnp
import numpy as np
from common import arguments, labelled_cells, panels, principal_axes, purity, scatter, write
from flax import nnx
from sklearn.cluster import KMeans

from diffbio.functional import shannon_diversity
from diffbio.losses import ClusteringCompactnessLoss
from diffbio.models import SoftClusterer
from diffbio.training import fit

options = arguments(__doc__)
cells, features = labelled_cells()
data = {"features": features}
cluster_loss = ClusteringCompactnessLoss()


def objective(result, batch, where):
    assignments = result["cluster_assignments"]
    compactness = cluster_loss(result["embeddings"], assignments, where=where)
    # This entropy keeps clusters in use.
    balance = shannon_diversity(assignments, over="clusters", where=where)
    # This holds the embedding to the features. Otherwise all cells end in few points.
    squares = jnp.sum((result["embeddings"] - batch["features"]) ** 2, axis=1)
    moved = jnp.sum(where * squares) / jnp.sum(where)
    return compactness - 0.1 * balance + 3 * moved


n_types = len(cells.cluster_names)
model = SoftClusterer(features.shape[1], n_types, rngs=nnx.Rngs(0))
before, _, _ = model.apply(data, {}, None)
history = fit(model, data, objective, n_steps=options.n_steps, learning_rate=1e-2)
after, _, _ = model.apply(data, {}, None)

print(f"{options.n_steps} steps in {history.seconds:.1f} s")
print("share of cells in a cluster whose most frequent type is theirs")
for when, result in {"before": before, "after": after}.items():
    clusters = np.asarray(result["cluster_assignments"].argmax(axis=1))
    compactness = cluster_loss(result["embeddings"], result["cluster_assignments"])
    print(f"  {when:8s} {purity(clusters, cells.cluster_labels):.1%}, compactness "
          f"{compactness:.3f}, {len(np.unique(clusters))} of {n_types} clusters used")  # fmt: skip
means = KMeans(n_types, n_init=5, random_state=0).fit_predict(features)
print(f"  k-means  {purity(means, cells.cluster_labels):.1%}")

figure, axes = panels(2, 2)
plane = principal_axes(features)
for column, (when, result) in enumerate({"before": before, "after": after}.items()):
    places = np.asarray(result["embeddings"]) @ plane
    clusters = np.asarray(result["cluster_assignments"].argmax(axis=1))
    scatter(axes[0, column], places, clusters, f"{when}: clusters")
    scatter(axes[1, column], places, cells.cluster_labels, f"{when}: published types")
write(figure, options.output, "clustering.png")
