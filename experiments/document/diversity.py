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


CLAIMS = (
    Claim("Shannon diversity", "From 0 for one-hot to ln K for uniform", _shannon_ranges),
    Claim("Simpson diversity", "From 1/K for uniform to 1 for one-hot", _simpson_ranges),
)
