"""What DiffBio's documentation claims of clustering compactness, and how each is tested."""

import jax.numpy as jnp
import numpy as np
from jax.nn import one_hot

from benchmarks.claims.evidence import N_CELLS, N_CLUSTERS, Claim, Evidence
from diffbio.functional import clustering_compactness_loss

__all__ = ["CLAIMS"]


def _tight_clusters_score_lower() -> Evidence:
    rng = np.random.default_rng(0)
    labels = np.arange(N_CELLS) % N_CLUSTERS
    centres, noise = 5 * rng.normal(size=(N_CLUSTERS, 10)), rng.normal(size=(N_CELLS, 10))
    assignments = one_hot(labels, N_CLUSTERS)
    spreads = (0.1, 0.5, 1.0, 2.0)
    found = [
        float(clustering_compactness_loss(jnp.asarray(centres[labels] + s * noise), assignments))
        for s in spreads
    ]
    numbers = ", ".join(f"{f:.3f} at spread {s:g}" for f, s in zip(found, spreads, strict=True))
    return Evidence(found == sorted(found), numbers)


def _separated_clusters_score_lower() -> Evidence:
    rng = np.random.default_rng(0)
    labels = np.arange(N_CELLS) % 2
    noise, apart = 0.1 * rng.normal(size=(N_CELLS, 2)), np.array([1.0, 0.0])
    assignments = one_hot(labels, 2)
    distances = (0.0, 0.5, 1.0, 2.0)
    found = [
        float(
            clustering_compactness_loss(
                jnp.asarray(noise + d * labels[:, None] * apart), assignments
            )
        )
        for d in distances
    ]
    numbers = ", ".join(f"{f:.3f} at distance {d:g}" for f, d in zip(found, distances, strict=True))
    return Evidence(found[0] > found[1] > found[2], numbers)


CLAIMS = (
    Claim("compactness", "Lower for tight clusters", _tight_clusters_score_lower),
    Claim(
        "compactness",
        "Lower for clusters up to min_separation apart",
        _separated_clusters_score_lower,
    ),
)
