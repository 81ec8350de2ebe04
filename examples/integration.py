"""Integrate real cells with all losses at once, in the three weightings of the document."""

import numpy as np
from common import arguments, labelled_cells, panels, scatter, write
from flax import nnx
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis

from diffbio.functional import (
    BALANCED,
    CLEAR_CELL_TYPES,
    STRONG_BATCH_EFFECTS,
    LossWeights,
    combined_loss,
)
from diffbio.losses import BatchMixingLoss
from diffbio.models import IntegrationAutoencoder
from diffbio.training import fit

options = arguments(__doc__)
cells, features = labelled_cells()
# Every feature has a variance of about 1, so that the reconstruction has a scale.
features = features * np.sqrt(features.shape[1])
n_batches, n_types = int(cells.batch_labels.max()) + 1, len(cells.cluster_names)
# The recommended setting.
mixing = BatchMixingLoss.recommended(n_batches)
data = {"features": features, "batch_ids": cells.batch_labels}


def parts(result, batch, where=None, weights=BALANCED):
    # No term is negated: each is lowest where it should be.
    return combined_loss(
        result["embeddings"],
        batch["batch_ids"],
        result["assignments"],
        features=batch["features"],
        reconstructed=result["reconstructed"],
        weights=weights,
        mixing=mixing,
        where=where,
    )


def integrated(weights: LossWeights) -> dict[str, np.ndarray]:
    def objective(result, batch, where):
        return parts(result, batch, where, weights).total

    model = IntegrationAutoencoder(features.shape[1], n_batches, n_types, rngs=nnx.Rngs(0))
    fit(model, data, objective, n_steps=options.n_steps, learning_rate=3e-3)
    return model.apply(data, {}, None)[0]


presets = {
    "strong batch effects": STRONG_BATCH_EFFECTS,
    "clear cell types": CLEAR_CELL_TYPES,
    "balanced": BALANCED,
}
figure, axes = panels(2, len(presets))
for column, (title, weights) in enumerate(presets.items()):
    result = integrated(weights)
    measured = parts(result, data)
    print(f"{title:20s}  batch mixing {measured.batch:.3f} (lowest {-np.log(n_batches):.3f}), "
          f"compactness {measured.cluster:.3f}, "
          f"reconstruction {measured.reconstruction:.3f}")  # fmt: skip
    embeddings = np.asarray(result["embeddings"])
    # A few far cells take the principal axes. These are the axes that the types differ along.
    axes_of_types = LinearDiscriminantAnalysis(n_components=2)
    places = axes_of_types.fit_transform(embeddings, cells.cluster_labels)
    scatter(axes[0, column], places, cells.batch_labels, f"{title}: batches")
    scatter(axes[1, column], places, cells.cluster_labels, f"{title}: cell types")
write(figure, options.output, "integration.png")
