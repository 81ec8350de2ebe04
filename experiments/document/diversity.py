"""What the document claims of the diversity indices, and how each claim is tested."""

import jax
import jax.numpy as jnp
import numpy as np
from jax.nn import one_hot

from diffbio.functional import shannon_diversity, simpson_diversity
from experiments.experiment import Claim, Found, Size

__all__ = ["CLAIMS"]

_N_CLUSTERS = 5
_ROUNDING = 1e-5
_CLUSTER_COUNTS = (5, 20)
_DOMINANT_SHARES = (0.3, 0.6, 0.9)


def _one_hot(seed: int, size: Size) -> jax.Array:
    labels = np.random.default_rng(seed).permutation(size.n_cells) % _N_CLUSTERS
    return one_hot(labels, _N_CLUSTERS)


def _uniform(size: Size) -> jax.Array:
    return jnp.full((size.n_cells, _N_CLUSTERS), 1 / _N_CLUSTERS)


def _shannon_ranges(seed: int, size: Size) -> dict[str, Found]:
    low, high = (
        float(shannon_diversity(_one_hot(seed, size))),
        float(shannon_diversity(_uniform(size))),
    )
    error = max(abs(low), abs(high - np.log(_N_CLUSTERS)))
    numbers = {"one-hot": low, "uniform": high, f"ln {_N_CLUSTERS}": np.log(_N_CLUSTERS)}
    return {"": Found(_ROUNDING - error, numbers)}


def _simpson_ranges(seed: int, size: Size) -> dict[str, Found]:
    high, low = (
        float(simpson_diversity(_one_hot(seed, size))),
        float(simpson_diversity(_uniform(size))),
    )
    error = max(abs(high - 1), abs(low - 1 / _N_CLUSTERS))
    return {"": Found(_ROUNDING - error, {"one-hot": high, "uniform": low})}


def _sees_dominance_more(seed: int, size: Size) -> dict[str, Found]:
    """The share of its range, from uniform to one-hot, that each index covers, and its slope.

    The slope is taken over the dominant cluster's share of the cells.
    """
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
    Claim("Shannon diversity", "From 0 for one-hot to ln K for uniform", _shannon_ranges),
    Claim("Simpson diversity", "From 1/K for uniform to 1 for one-hot", _simpson_ranges),
    Claim(
        "Simpson diversity",
        "More sensitive to dominant clusters than Shannon entropy",
        _sees_dominance_more,
    ),
)
