"""What DiffBio's documentation claims of batch mixing, and how each claim is tested."""

import jax
import jax.numpy as jnp
import numpy as np

from benchmarks.claims.evidence import N_CELLS, N_CLUSTERS, Claim, Evidence
from diffbio.datasets import simulate_clusters
from diffbio.functional import batch_mixing_loss

__all__ = ["CLAIMS"]

_STEPS, _RATE = 30, 1.0


def _batches(batch_effect: float) -> tuple[jax.Array, jax.Array]:
    """Embeddings and batches of simulated cells."""
    cells = simulate_clusters(N_CELLS, n_clusters=N_CLUSTERS, batch_effect=batch_effect)
    # Scaled so that the distances suit the fixed temperature of 1.
    embeddings = jnp.asarray(cells.embeddings)[:, :10]
    return embeddings / jnp.std(embeddings), jnp.asarray(cells.batch_labels)


def _lower_when_mixed() -> Evidence:
    mixed, apart = (float(batch_mixing_loss(*_batches(effect))) for effect in (0.0, 2.0))
    return Evidence(mixed < apart, f"{mixed:.3f} without a batch effect, {apart:.3f} with one")


def _bounded_by_uniform_mixing() -> Evidence:
    """A cell whose neighbours are equally far, with as many of each batch: its entropy is ln B."""
    labels = jnp.arange(4) % 3
    corners = jnp.eye(4)
    found = float(batch_mixing_loss(corners, labels.at[3].set(0), n_neighbors=3, reduce=False)[3])
    return Evidence(bool(np.isclose(found, -np.log(3))), f"{found:.6f}; -ln 3 is {-np.log(3):.6f}")


def _negated_descent_mixes() -> Evidence:
    x, labels = _batches(0.1)
    gradient = jax.jit(jax.grad(lambda x: -batch_mixing_loss(x, labels)))
    moved = x
    for _ in range(_STEPS):
        direction = gradient(moved)
        moved = moved - _RATE * direction / jnp.linalg.norm(direction)
    before, after = (-float(batch_mixing_loss(x, labels)) for x in (x, moved))
    numbers = f"entropy of the batches {before:.3f} before, {after:.3f} after {_STEPS} steps"
    return Evidence(after > before, numbers)


CLAIMS = (
    Claim("batch_mixing", "Lower when batches are mixed", _lower_when_mixed),
    Claim(
        "batch_mixing",
        "Perfect mixing is a uniform batch distribution, entropy ln B",
        _bounded_by_uniform_mixing,
    ),
    Claim("batch_mixing", "Negate it to maximize mixing", _negated_descent_mixes),
)
