"""What the document claims of clustering compactness, and how each claim is tested."""

from collections.abc import Sequence

import jax.numpy as jnp
import numpy as np
from jax.nn import one_hot

from diffbio.functional import clustering_compactness_loss
from experiments.experiment import Claim, Found, Size

__all__ = ["CLAIMS"]

_N_CLUSTERS = 5


def _tight_clusters_score_lower(seed: int, size: Size) -> dict[str, Found]:
    rng = np.random.default_rng(seed)
    labels = np.arange(size.n_cells) % _N_CLUSTERS
    centres = 5 * rng.normal(size=(_N_CLUSTERS, 10))
    noise = rng.normal(size=(size.n_cells, 10))
    spreads = (0.1, 0.5, 1.0, 2.0)
    losses = [_loss(centres[labels] + spread * noise, labels, _N_CLUSTERS) for spread in spreads]
    numbers = {f"spread {s:g}": loss for s, loss in zip(spreads, losses, strict=True)}
    return {"": Found(_least_step(losses), numbers)}


def _separated_clusters_score_lower(seed: int, size: Size) -> dict[str, Found]:
    rng = np.random.default_rng(seed)
    labels = np.arange(size.n_cells) % 2
    noise, apart = 0.1 * rng.normal(size=(size.n_cells, 2)), np.array([1.0, 0.0])
    distances = (0.0, 0.5, 1.0, 2.0)
    losses = [_loss(noise + d * labels[:, None] * apart, labels, 2) for d in distances]
    numbers = {f"distance {d:g}": loss for d, loss in zip(distances, losses, strict=True)}
    within, beyond = losses[2::-1], losses[:1:-1]
    return {
        "up to min_separation": Found(_least_step(within), numbers),
        "beyond it": Found(_least_step(beyond), numbers),
    }


def _loss(points: np.ndarray, labels: np.ndarray, n_clusters: int) -> float:
    return float(clustering_compactness_loss(jnp.asarray(points), one_hot(labels, n_clusters)))


def _least_step(ascending: Sequence[float]) -> float:
    """The least step of numbers that should ascend; negative where they descend."""
    return float(np.diff(ascending).min())


CLAIMS = (
    Claim("compactness", "Lower for tight clusters", _tight_clusters_score_lower),
    Claim("compactness", "Lower for clusters further apart", _separated_clusters_score_lower),
)
