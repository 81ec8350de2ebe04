"""Velocity consistency beside scVelo's velocity confidence, over noise of the velocities.

Confidence correlates the velocities of neighbours, so it does not see how long they are. It is
to be compared with the direction of the loss. Its other term judges lengths: where
velocities are too short, noise makes them longer, and that term falls.
"""

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import jax.numpy as jnp
import numpy as np

from diffbio.datasets import CellData, simulate_velocity
from diffbio.functional import velocity_consistency_loss
from diffbio.neighbors import Neighbors, nearest_neighbors
from experiments.experiment import Size
from experiments.measures import velocity_confidence
from experiments.real_cells import dentate_gyrus, nine_tenths
from experiments.validity.variation import Validation, Variation, experiment

__all__ = ["EXPERIMENTS"]

Array = np.ndarray

_N_GENES, _N_NEIGHBORS = 200, 30
_LARGEST = 3.0
_SETTINGS: dict[str, dict[str, Any]] = {
    "velocity consistency, direction alone": {"magnitude_weight": 0.0},
    "velocity consistency": {},
}
_RECOMMENDED = "velocity consistency, direction alone"


class _Point(NamedTuple):
    """Cells with velocities that are not their own, and their nearest cells."""

    cells: CellData
    velocity: Array
    neighbors: Neighbors


def _losses(point: _Point) -> dict[str, float]:
    cells = point.cells.arrays()
    step: dict[str, Any] = {"dt": point.cells.dt}
    x, future = jnp.asarray(cells["expression"]), jnp.asarray(cells["future_expression"])
    return {
        name: float(
            velocity_consistency_loss(x, jnp.asarray(point.velocity), future, **step, **options)
        )
        for name, options in _SETTINGS.items()
    }


def _measures(point: _Point) -> dict[str, float]:
    return {"velocity confidence": velocity_confidence(point.velocity, point.neighbors)}


def _simulated(size: Size, seed: int) -> CellData:
    return simulate_velocity(size.n_cells, n_genes=_N_GENES, noise=0.0, seed=seed)


def _dentate_gyrus(size: Size, seed: int) -> CellData:
    return nine_tenths(dentate_gyrus(), size, seed)


def _noisy(
    source: Callable[[Size, int], CellData], keep_speeds: bool, size: Size, seed: int
) -> Callable[[float], _Point]:
    """Noise of a size relative to each gene's root-mean-square velocity."""
    cells = source(size, seed)
    embeddings, own = (cells.arrays()[name] for name in ("embeddings", "velocity"))
    neighbors = nearest_neighbors(jnp.asarray(embeddings), _N_NEIGHBORS)
    noise = np.random.default_rng(seed).normal(size=own.shape)
    noise *= np.sqrt(np.mean(own**2, axis=0))

    def point_at(share: float) -> _Point:
        velocity = own + share * noise
        if keep_speeds:
            velocity *= _speeds(own) / _speeds(velocity)
        return _Point(cells, velocity.astype(np.float32), neighbors)

    return point_at


def _speeds(velocity: Array) -> Array:
    return np.linalg.norm(velocity, axis=1, keepdims=True)


EXPERIMENTS = tuple(
    experiment(
        f"velocity consistency beside velocity confidence, {cells}",
        Validation(_losses, _measures, {"velocity confidence": -0.9}, _RECOMMENDED),
        [
            Variation(cells, varied, (0, _LARGEST), partial(_noisy, source, keep_speeds))
            for varied, keep_speeds in (
                ("velocity noise", False),
                ("velocity noise, lengths kept", True),
            )
        ],
    )
    for cells, source in (("simulated kinetics", _simulated), ("dentate gyrus", _dentate_gyrus))
)
