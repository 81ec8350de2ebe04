"""What the document claims of Simpson's index beside Shannon's, and how the claim is tested.

The two are compared by the share of their range, from uniform to one-hot, that they cover.
"""

import jax
import jax.numpy as jnp
import numpy as np

from diffbio.functional import shannon_diversity, simpson_diversity
from experiments.experiment import Claim, Found, Size

__all__ = ["CLAIMS"]

_CLUSTER_COUNTS = (5, 20)
_DOMINANT_SHARES = (0.3, 0.6, 0.9)


def _sees_dominance_more(seed: int, size: Size) -> dict[str, Found]:
    """The share covered, and its increase with the dominant cluster's share of the cells."""
    found = {}
    rng = np.random.default_rng(seed)
    for n_clusters in _CLUSTER_COUNTS:
        others = jnp.asarray(rng.dirichlet(np.ones(n_clusters - 1)))
        for share in _DOMINANT_SHARES:
            simpson, shannon = (
                jax.value_and_grad(covered)(share, others) for covered in (_simpson, _shannon)
            )
            where = f"{share:.0%} of the cells in one of {n_clusters} clusters"
            for what, of_simpson, of_shannon in zip(
                ("share covered", "its slope"), simpson, shannon, strict=True
            ):
                numbers = {"Simpson": float(of_simpson), "Shannon": float(of_shannon)}
                found[f"{what}, {where}"] = Found(float(of_simpson - of_shannon), numbers)
    return found


def _simpson(share: jax.Array, others: jax.Array) -> jax.Array:
    uniform = 1 / (len(others) + 1)
    return (simpson_diversity(_dominated(share, others)) - uniform) / (1 - uniform)


def _shannon(share: jax.Array, others: jax.Array) -> jax.Array:
    return 1 - shannon_diversity(_dominated(share, others)) / np.log(len(others) + 1)


def _dominated(share: jax.Array, others: jax.Array) -> jax.Array:
    """An assignment of which one cluster has a share, and the others the rest as they are."""
    return jnp.concatenate([jnp.array([share]), (1 - share) * others])[None]


CLAIMS = (
    Claim(
        "Simpson diversity",
        "More sensitive to dominant clusters than Shannon entropy",
        _sees_dominance_more,
    ),
)
