"""What the document says of the losses, each claim with what was measured about it.

The document is the page of single-cell losses that the library starts from. A claim that
does not hold is listed with the others: the numbers say how, the README what we do instead.
"""

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.nn import one_hot

from benchmarks.catalog.cases import simulated_cells
from diffbio.datasets import simulate_clusters
from diffbio.functional import (
    batch_mixing_loss,
    clustering_compactness_loss,
    shannon_diversity,
    simpson_diversity,
    velocity_consistency_loss,
)

__all__ = ["CLAIMS", "Claim", "Evidence", "examine"]

_N_CELLS, _N_CLUSTERS = 512, 5
_STEPS, _RATE = 30, 1.0


class Evidence(NamedTuple):
    """Whether a claim holds, and the numbers that say so."""

    holds: bool
    numbers: str


class Claim(NamedTuple):
    """A statement of the document about one of the losses, and how it is put to the test."""

    loss: str
    statement: str
    examined: Callable[[], Evidence]


def examine(claim: Claim) -> dict[str, str | bool]:
    """The claim and its evidence, as a row; an error is evidence against it."""
    try:
        evidence = claim.examined()
    except Exception as error:  # as in the sweep: shown in the report, does not end it
        evidence = Evidence(False, f"{type(error).__name__}: {error}")
    return {"loss": claim.loss, "statement": claim.statement, **evidence._asdict()}


def _batches(batch_effect: float):
    cells = simulate_clusters(_N_CELLS, n_clusters=_N_CLUSTERS, batch_effect=batch_effect)
    # On the scale of the distances, as the fixed temperature of 1 expects.
    embeddings = jnp.asarray(cells.embeddings)[:, :10]
    return embeddings / jnp.std(embeddings), jnp.asarray(cells.batch_labels)


def _lower_when_mixed() -> Evidence:
    mixed, apart = (float(batch_mixing_loss(*_batches(effect))) for effect in (0.0, 2.0))
    return Evidence(mixed < apart, f"{mixed:.3f} without a batch effect, {apart:.3f} with one")


def _bounded_by_uniform_mixing() -> Evidence:
    """A cell's neighbours at one distance, as many of each batch: the entropy is ln B."""
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


def _tight_clusters_score_lower() -> Evidence:
    rng = np.random.default_rng(0)
    labels = np.arange(_N_CELLS) % _N_CLUSTERS
    centres, noise = 5 * rng.normal(size=(_N_CLUSTERS, 10)), rng.normal(size=(_N_CELLS, 10))
    assignments = one_hot(labels, _N_CLUSTERS)
    spreads = (0.1, 0.5, 1.0, 2.0)
    found = [
        float(clustering_compactness_loss(jnp.asarray(centres[labels] + s * noise), assignments))
        for s in spreads
    ]
    numbers = ", ".join(f"{f:.3f} at spread {s:g}" for f, s in zip(found, spreads, strict=True))
    return Evidence(found == sorted(found), numbers)


def _separated_clusters_score_lower() -> Evidence:
    rng = np.random.default_rng(0)
    labels = np.arange(_N_CELLS) % 2
    noise, apart = 0.1 * rng.normal(size=(_N_CELLS, 2)), np.array([1.0, 0.0])
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


def _true_velocities_score_lower() -> Evidence:
    cells = simulated_cells("kinetics_50", _N_CELLS, 0)
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


def _uniform() -> jax.Array:
    return jnp.full((_N_CELLS, _N_CLUSTERS), 1 / _N_CLUSTERS)


def _one_hot() -> jax.Array:
    return one_hot(jnp.arange(_N_CELLS) % _N_CLUSTERS, _N_CLUSTERS)


def _shannon_ranges() -> Evidence:
    low, high = float(shannon_diversity(_one_hot())), float(shannon_diversity(_uniform()))
    holds = low == 0 and bool(np.isclose(high, np.log(_N_CLUSTERS)))
    numbers = (
        f"{low:.6f} one-hot, {high:.6f} uniform; ln {_N_CLUSTERS} is {np.log(_N_CLUSTERS):.6f}"
    )
    return Evidence(holds, numbers)


def _simpson_ranges() -> Evidence:
    high, low = float(simpson_diversity(_one_hot())), float(simpson_diversity(_uniform()))
    holds = high == 1 and bool(np.isclose(low, 1 / _N_CLUSTERS))
    return Evidence(holds, f"{high:.6f} one-hot, {low:.6f} uniform over {_N_CLUSTERS} clusters")


def _diversity_prevents_collapse() -> Evidence:
    collapsed = one_hot(jnp.zeros(_N_CELLS, int), _N_CLUSTERS)
    cells = [float(shannon_diversity(a)) for a in (_one_hot(), collapsed)]
    clusters = [float(shannon_diversity(a, over="clusters")) for a in (_one_hot(), collapsed)]
    numbers = (
        f"balanced {cells[0]:.3f}, all cells in one cluster {cells[1]:.3f}; "
        f'with over="clusters" {clusters[0]:.3f} and {clusters[1]:.3f}'
    )
    return Evidence(cells[0] > cells[1], numbers)


def _simpson_sees_dominance_more() -> Evidence:
    """Share of each index's whole range that a cell of 90 % in one cluster has gone."""
    dominated = jnp.full((1, _N_CLUSTERS), 0.1 / (_N_CLUSTERS - 1)).at[0, 0].set(0.9)
    shannon = 1 - float(shannon_diversity(dominated)) / np.log(_N_CLUSTERS)
    simpson = (float(simpson_diversity(dominated)) - 1 / _N_CLUSTERS) / (1 - 1 / _N_CLUSTERS)
    numbers = (
        f"{simpson:.2f} of Simpson's range, {shannon:.2f} of Shannon's, at 90 % in one cluster"
    )
    return Evidence(bool(simpson > shannon), numbers)


CLAIMS: tuple[Claim, ...] = (
    Claim("batch_mixing", "Lower when batches are mixed", _lower_when_mixed),
    Claim("batch_mixing", "Perfect mixing is a uniform batch distribution, entropy ln B",
          _bounded_by_uniform_mixing),
    Claim("batch_mixing", "Negate it to maximize mixing", _negated_descent_mixes),
    Claim("compactness", "Lower for tight clusters", _tight_clusters_score_lower),
    Claim("compactness", "Lower for clusters up to min_separation apart",
          _separated_clusters_score_lower),
    Claim("velocity", "Lower for velocities that lead to the observed future",
          _true_velocities_score_lower),
    Claim("shannon", "From 0 for one-hot to ln K for uniform assignments", _shannon_ranges),
    Claim("shannon", "Avoids that all cells fall into one cluster", _diversity_prevents_collapse),
    Claim("simpson", "From 1/K for uniform to 1 for one-hot assignments", _simpson_ranges),
    Claim("simpson", "More sensitive to dominant clusters than Shannon",
          _simpson_sees_dominance_more),
)  # fmt: skip
