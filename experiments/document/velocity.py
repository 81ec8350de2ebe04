"""What the document claims of velocity consistency, and how each claim is tested."""

from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from diffbio.datasets import simulate_velocity
from diffbio.functional import velocity_consistency_loss
from experiments.experiment import Claim, Found, Size

__all__ = ["CLAIMS"]

_N_GENES, _DT = 50, 0.1
_ROUNDING = 1e-5
_PARTS: dict[str, dict[str, float]] = {
    "cosine part": {"magnitude_weight": 0.0},
    "magnitude part": {"cosine_weight": 0.0},
    "both parts": {},
}
_DEGREES = (0, 15, 45, 90, 135, 180)
_FACTORS = (1, 1.25, 2, 4)


def _true_velocities_score_lower(seed: int, size: Size) -> dict[str, Found]:
    """The true velocities beside noisy and reversed ones."""
    x, true, future, noisy = _cells(seed, size)
    candidates = {"true": true, "noisy": noisy, "reversed": -true}
    losses = {name: _loss(x, v, future) for name, v in candidates.items()}
    return {
        f"against {name} velocities": Found(losses[name] - losses["true"], losses)
        for name in ("noisy", "reversed")
    }


def _grows_with_angle(seed: int, size: Size) -> dict[str, Found]:
    """Every cell's true velocity, rotated in a plane of its own."""
    x, true, future, _ = _cells(seed, size)
    aside = _orthogonal(true, seed)
    rotated = {
        f"{degrees}°": np.cos(np.radians(degrees)) * true + np.sin(np.radians(degrees)) * aside
        for degrees in _DEGREES
    }
    return {part: _growing(x, rotated, future, **weights) for part, weights in _PARTS.items()}


def _grows_with_scale(seed: int, size: Size) -> dict[str, Found]:
    """True velocities times, and divided by, growing factors."""
    x, true, future, _ = _cells(seed, size)
    longer = {f"times {factor:g}": factor * true for factor in _FACTORS}
    shorter = {f"times {1 / factor:g}": true / factor for factor in _FACTORS}

    def found(**weights: float) -> Found:
        both = [_growing(x, velocities, future, **weights) for velocities in (shorter, longer)]
        return Found(min(f.margin for f in both), {**both[0].numbers, **both[1].numbers})

    return {part: found(**weights) for part, weights in _PARTS.items()}


def _cells(seed: int, size: Size) -> tuple[jax.Array, jax.Array, jax.Array, jax.Array]:
    """Expression, true velocity, future expression, noisy velocity."""
    cells = simulate_velocity(size.n_cells, n_genes=_N_GENES, dt=_DT, seed=seed)
    x, future = jnp.asarray(cells.expression), jnp.asarray(cells.future_expression)
    return x, (future - x) / _DT, future, jnp.asarray(cells.velocity)


def _orthogonal(vectors: jax.Array, seed: int) -> jax.Array:
    """Random vectors of the same lengths at right angles."""
    drawn = jax.random.normal(jax.random.key(seed), vectors.shape)
    squares = jnp.sum(vectors**2, axis=1, keepdims=True)
    aside = drawn - jnp.sum(drawn * vectors, axis=1, keepdims=True) / squares * vectors
    return aside * jnp.sqrt(squares) / jnp.linalg.norm(aside, axis=1, keepdims=True)


def _growing(
    x: jax.Array, velocities: Mapping[str, jax.Array], future: jax.Array, **weights: Any
) -> Found:
    """The least step between losses that should grow; rounding is no step."""
    losses = {name: _loss(x, v, future, **weights) for name, v in velocities.items()}
    return Found(np.diff(list(losses.values())).min() - _ROUNDING, losses)


def _loss(x: jax.Array, velocity: jax.Array, future: jax.Array, **weights: Any) -> float:
    return float(velocity_consistency_loss(x, velocity, future, **weights))


CLAIMS = (
    Claim(
        "velocity consistency",
        "Lower for velocities that lead to the observed future",
        _true_velocities_score_lower,
    ),
    Claim(
        "velocity consistency",
        "Grows as the velocities turn away from the true ones",
        _grows_with_angle,
    ),
    Claim(
        "velocity consistency",
        "Grows as the velocities become longer or shorter than the true ones",
        _grows_with_scale,
    ),
)
