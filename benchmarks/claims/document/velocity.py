"""What the document claims of velocity consistency, and how each claim is tested."""

import jax.numpy as jnp

from benchmarks.claims.experiment import Claim, Found, Size
from diffbio.datasets import simulate_velocity
from diffbio.functional import velocity_consistency_loss

__all__ = ["CLAIMS"]

_N_GENES, _DT = 50, 0.1


def _true_velocities_score_lower(seed: int, size: Size) -> dict[str, Found]:
    """The true velocities beside noisy and reversed ones."""
    cells = simulate_velocity(size.n_cells, n_genes=_N_GENES, dt=_DT, seed=seed)
    x, future = jnp.asarray(cells.expression), jnp.asarray(cells.future_expression)
    true = (future - x) / _DT
    candidates = {"true": true, "noisy": jnp.asarray(cells.velocity), "reversed": -true}
    losses = {
        name: float(velocity_consistency_loss(x, v, future)) for name, v in candidates.items()
    }
    return {
        f"against {name} velocities": Found(losses[name] - losses["true"], losses)
        for name in ("noisy", "reversed")
    }


CLAIMS = (
    Claim(
        "velocity consistency",
        "Lower for velocities that lead to the observed future",
        _true_velocities_score_lower,
    ),
)
