"""What DiffBio's documentation claims of velocity consistency, and how that is tested."""

import jax.numpy as jnp

from benchmarks.catalog.cases import simulated_cells
from benchmarks.claims.evidence import N_CELLS, Claim, Evidence
from diffbio.functional import velocity_consistency_loss

__all__ = ["CLAIMS"]


def _true_velocities_score_lower() -> Evidence:
    cells = simulated_cells("kinetics_50", N_CELLS, 0)
    x, future = jnp.asarray(cells.expression), jnp.asarray(cells.future_expression)
    true = (future - x) / 0.1
    found = {
        "the true": true,
        "noisy": jnp.asarray(cells.velocity),
        "reversed": -true,
    }
    values = {name: float(velocity_consistency_loss(x, v, future)) for name, v in found.items()}
    numbers = ", ".join(f"{value:.3g} of {name} velocities" for name, value in values.items())
    return Evidence(list(values.values()) == sorted(values.values()), numbers)


CLAIMS = (
    Claim(
        "velocity",
        "Lower for velocities that lead to the observed future",
        _true_velocities_score_lower,
    ),
)
