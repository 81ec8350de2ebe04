"""What the document claims of batch mixing, and how each claim is tested."""

from operator import itemgetter
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx

from diffbio.datasets import simulate_clusters
from diffbio.functional import batch_mixing_loss
from diffbio.models import BatchCorrector
from experiments.document.full_batch import trained
from experiments.experiment import Claim, Found, Size
from experiments.measures import ilisi, lisi_neighbors

__all__ = ["CLAIMS"]

_N_CLUSTERS = 5
_N_BATCHES = 3
_RATE = 1e-3
_ROUNDING = 1e-5
_SIGNS = {
    "the loss is negated, as in its training examples": -1.0,
    "the loss is added as it is": 1.0,
}


def _batches(batch_effect: float, seed: int, size: Size) -> tuple[jax.Array, jax.Array]:
    """Embeddings and batches of simulated cells."""
    cells = simulate_clusters(
        size.n_cells, n_clusters=_N_CLUSTERS, batch_effect=batch_effect, seed=seed
    )
    # Scaled so that the distances suit the fixed temperature of 1.
    embeddings = jnp.asarray(cells.embeddings)[:, :10]
    return embeddings / jnp.std(embeddings), jnp.asarray(cells.batch_labels)


def _lower_when_mixed(seed: int, size: Size) -> dict[str, Found]:
    mixed, apart = (float(batch_mixing_loss(*_batches(e, seed, size))) for e in (0.0, 2.0))
    numbers = {"without a batch effect": mixed, "with one": apart}
    return {"": Found(apart - mixed, numbers)}


def _bounded_by_uniform_mixing(seed: int, size: Size) -> dict[str, Found]:
    """A cell whose neighbours are equally far, with as many of each batch: its entropy is ln B."""
    centre = np.random.default_rng(seed).normal(size=4)
    corners = jnp.asarray(np.vstack([centre + np.eye(4)[:3], centre]))
    labels = jnp.array([0, 1, 2, 0])
    found = float(batch_mixing_loss(corners, labels, n_neighbors=3, reduce=False)[3])
    numbers = {"loss of the cell": found, "-ln 3": -np.log(3)}
    return {"": Found(_ROUNDING - abs(found + np.log(3)), numbers)}


def _training_mixes(seed: int, size: Size) -> dict[str, Found]:
    """iLISI after training a corrector from the identity on, minus iLISI before."""
    x, labels = _batches(0.3, seed, size)
    graph, start = nnx.split(BatchCorrector(x.shape[1], _N_BATCHES, rngs=nnx.Rngs(seed)))
    signs = jnp.array(list(_SIGNS.values()))
    ends = trained(_objective, start, signs, graph, x, labels, rate=_RATE, n_steps=size.n_steps)
    before = _ilisi(x, labels)
    found = {}
    for row, sign in enumerate(_SIGNS):
        end = jax.tree.map(itemgetter(row), ends)
        after = _ilisi(nnx.merge(graph, end)(x, labels)["corrected_features"], labels)
        found[sign] = Found(after - before, {"iLISI before": before, "iLISI after": after})
    return found


def _objective(
    parameters: Any, sign: jax.Array, graph: Any, x: jax.Array, labels: jax.Array
) -> jax.Array:
    corrected = nnx.merge(graph, parameters)(x, labels)["corrected_features"]
    return sign * batch_mixing_loss(corrected, labels)


def _ilisi(x: jax.Array, labels: jax.Array) -> float:
    return ilisi(lisi_neighbors(x), np.asarray(labels))


CLAIMS = (
    Claim("batch mixing", "Lower when batches are mixed", _lower_when_mixed),
    Claim(
        "batch mixing",
        "Perfect mixing is a uniform batch distribution, entropy ln B",
        _bounded_by_uniform_mixing,
    ),
    Claim("batch mixing", "Training a corrector with it mixes the batches", _training_mixes),
)
