"""What DiffBio's documentation claims of the diversity indices, and how each is tested."""

import jax
import jax.numpy as jnp
import numpy as np
from jax.nn import one_hot

from benchmarks.claims.evidence import N_CELLS, N_CLUSTERS, Claim, Evidence
from diffbio.functional import shannon_diversity, simpson_diversity

__all__ = ["CLAIMS"]


def _uniform() -> jax.Array:
    return jnp.full((N_CELLS, N_CLUSTERS), 1 / N_CLUSTERS)


def _one_hot() -> jax.Array:
    return one_hot(jnp.arange(N_CELLS) % N_CLUSTERS, N_CLUSTERS)


def _shannon_ranges() -> Evidence:
    low, high = float(shannon_diversity(_one_hot())), float(shannon_diversity(_uniform()))
    holds = low == 0 and bool(np.isclose(high, np.log(N_CLUSTERS)))
    numbers = f"{low:.6f} one-hot, {high:.6f} uniform; ln {N_CLUSTERS} is {np.log(N_CLUSTERS):.6f}"
    return Evidence(holds, numbers)


def _simpson_ranges() -> Evidence:
    high, low = float(simpson_diversity(_one_hot())), float(simpson_diversity(_uniform()))
    holds = high == 1 and bool(np.isclose(low, 1 / N_CLUSTERS))
    return Evidence(holds, f"{high:.6f} one-hot, {low:.6f} uniform over {N_CLUSTERS} clusters")


def _diversity_prevents_collapse() -> Evidence:
    collapsed = one_hot(jnp.zeros(N_CELLS, int), N_CLUSTERS)
    cells = [float(shannon_diversity(a)) for a in (_one_hot(), collapsed)]
    clusters = [float(shannon_diversity(a, over="clusters")) for a in (_one_hot(), collapsed)]
    numbers = (
        f"balanced {cells[0]:.3f}, all cells in one cluster {cells[1]:.3f}; "
        f'with over="clusters" {clusters[0]:.3f} and {clusters[1]:.3f}'
    )
    return Evidence(cells[0] > cells[1], numbers)


def _simpson_sees_dominance_more() -> Evidence:
    """Compare the share of its range that each index covers at 90 % in one cluster."""
    dominated = jnp.full((1, N_CLUSTERS), 0.1 / (N_CLUSTERS - 1)).at[0, 0].set(0.9)
    shannon = 1 - float(shannon_diversity(dominated)) / np.log(N_CLUSTERS)
    simpson = (float(simpson_diversity(dominated)) - 1 / N_CLUSTERS) / (1 - 1 / N_CLUSTERS)
    numbers = (
        f"{simpson:.2f} of Simpson's range, {shannon:.2f} of Shannon's, at 90 % in one cluster"
    )
    return Evidence(bool(simpson > shannon), numbers)


CLAIMS = (
    Claim("shannon", "From 0 for one-hot to ln K for uniform assignments", _shannon_ranges),
    Claim("shannon", "Avoids that all cells fall into one cluster", _diversity_prevents_collapse),
    Claim("simpson", "From 1/K for uniform to 1 for one-hot assignments", _simpson_ranges),
    Claim(
        "simpson", "More sensitive to dominant clusters than Shannon", _simpson_sees_dominance_more
    ),
)
