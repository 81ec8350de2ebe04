"""What the document claims of batch mixing, and how each claim is tested."""

import jax
import jax.numpy as jnp
import numpy as np

from benchmarks.claims.experiment import Claim, Found, Size
from diffbio.datasets import simulate_clusters
from diffbio.functional import batch_mixing_loss

__all__ = ["CLAIMS"]

_N_CLUSTERS = 5
_STEPS, _RATE = 30, 1.0
_ROUNDING = 1e-5


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


def _descends_to_mixing(sign: float, seed: int, size: Size) -> Found:
    """Whether normalised gradient descent on the signed loss mixes the batches."""
    x, labels = _batches(0.1, seed, size)
    gradient = jax.jit(jax.grad(lambda x: sign * batch_mixing_loss(x, labels)))
    moved = x
    for _ in range(min(_STEPS, size.n_steps)):
        direction = gradient(moved)
        moved = moved - _RATE * direction / jnp.linalg.norm(direction)
    before, after = (-float(batch_mixing_loss(x, labels)) for x in (x, moved))
    return Found(after - before, {"entropy before": before, "entropy after": after})


def _descent_mixes(seed: int, size: Size) -> dict[str, Found]:
    return {
        "the loss is negated, as in its training examples": _descends_to_mixing(-1, seed, size),
        "the loss is added as it is": _descends_to_mixing(1, seed, size),
    }


CLAIMS = (
    Claim("batch mixing", "Lower when batches are mixed", _lower_when_mixed),
    Claim(
        "batch mixing",
        "Perfect mixing is a uniform batch distribution, entropy ln B",
        _bounded_by_uniform_mixing,
    ),
    Claim("batch mixing", "Descent on it mixes the batches", _descent_mixes),
)
