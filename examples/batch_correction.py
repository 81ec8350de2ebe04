"""Correct the batch effect of real cells, and see what the other sign would do."""

import jax.numpy as jnp
import numpy as np
from common import arguments, labelled_cells, panels, principal_axes, scatter, write
from flax import nnx

from diffbio.losses import BatchMixingLoss
from diffbio.models import BatchCorrector
from diffbio.training import fit

options = arguments(__doc__)
cells, features = labelled_cells()
n_batches = int(cells.batch_labels.max()) + 1
data = {"features": features, "batch_ids": cells.batch_labels}
# The recommended setting, the same for all data whose total variance is 1.
batch_loss = BatchMixingLoss.recommended(n_batches, normalize=True)


def trained(sign: float) -> np.ndarray:
    """The corrected features after training with the batch term in either sign."""

    def objective(result, batch, where):
        corrected = result["corrected_features"]
        mixing = batch_loss(corrected, batch["batch_ids"], where=where)
        squares = jnp.sum((corrected - batch["features"]) ** 2, axis=1)
        moved = jnp.sum(where * squares) / jnp.sum(where)  # of a total variance of 1
        return sign * mixing + moved

    model = BatchCorrector(features.shape[1], n_batches, rngs=nnx.Rngs(0))
    history = fit(model, data, objective, n_steps=options.n_steps)
    print(f"{options.n_steps} steps in {history.seconds:.1f} s")
    return np.asarray(model.apply(data, {}, None)[0]["corrected_features"])


# The document negates the batch term "to maximize mixing". The loss is minus an entropy and
# lowest where batches are mixed: it is added. Negated, it pulls the batches apart.
corrected = {"added": trained(+1.0), "negated": trained(-1.0)}
before = -batch_loss(features, cells.batch_labels)
print(f"entropy of the batches around a cell, of at most 1 (before: {before:.3f})")
for how, values in corrected.items():
    entropy = -batch_loss(values, cells.batch_labels)
    moved = np.mean(np.sum((values - features) ** 2, axis=1))
    print(f"  batch term {how:7s}  {entropy:.3f}, {moved:.1%} of the variance moved")

figure, axes = panels(2, 3)
for column, (when, values) in enumerate({"before": features, **corrected}.items()):
    title = when if when == "before" else f"batch term {when}"
    places = values @ principal_axes(values)
    scatter(axes[0, column], places, cells.batch_labels, f"{title}: batches")
    scatter(axes[1, column], places, cells.cluster_labels, f"{title}: cell types")
write(figure, options.output, "batch_correction.png")
