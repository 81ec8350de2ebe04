"""What corrects batches: trained correctors that differ in their batch term, and the rest."""

import time
from collections.abc import Callable
from functools import partial
from typing import NamedTuple

import harmonypy
import jax.numpy as jnp
import numpy as np
import pandas as pd
from flax import nnx
from jaxtyping import Array

from diffbio.functional import RECOMMENDED_MIXING, Local
from diffbio.models import BatchCorrector
from diffbio.training import fit
from experiments.training.adversary import AdversarialCorrector, confusion
from experiments.training.batch_terms import BatchTerm, hsic, mixing, mmd, sinkhorn
from experiments.training.cells import BatchedCells

__all__ = [
    "RECOMMENDED",
    "TRAINED",
    "UNTRAINED",
    "Corrected",
    "TrainedMethod",
    "corrected_by",
    "fit_corrector",
    "objective",
]

_RATE = 1e-3


class Corrected(NamedTuple):
    """The corrected cells, and the seconds that it took, compilation included."""

    points: np.ndarray
    seconds: float


class TrainedMethod(NamedTuple):
    """A corrector trained with a batch term; ``term`` is None for the adversarial one.

    Attributes:
        name: the method with its setting.
        term: the batch term.
        weights: weights of the fidelity term to choose from, which bracket the best one.
        batch_size: cells per minibatch.
    """

    name: str
    term: BatchTerm | None
    weights: tuple[float, ...]
    batch_size: int = 1024


# The recommended setting, used unchanged on every data set.
RECOMMENDED = TrainedMethod(
    "batch mixing, recommended", partial(mixing, **RECOMMENDED_MIXING), (1.0,)
)
_PERPLEXITY = {**RECOMMENDED_MIXING, "proportions": "uniform"}
# Five weights in steps of 2 around the best one of a scan in steps of 3.
_GRID = (0.25, 0.5, 1.0, 2.0, 4.0)


def _grid(unit: float) -> tuple[float, ...]:
    return tuple(unit * factor for factor in _GRID)


TRAINED = (
    TrainedMethod("batch mixing, T = 1", partial(mixing, n_neighbors=30), _grid(4.0)),
    TrainedMethod(
        "batch mixing, local", partial(mixing, temperature=Local(), n_neighbors=30), _grid(0.1)
    ),
    TrainedMethod("batch mixing, perplexity", partial(mixing, **_PERPLEXITY), _grid(1.0)),
    TrainedMethod("batch mixing, perplexity, observed proportions", RECOMMENDED.term, _grid(1.0)),
    TrainedMethod("MMD", mmd, _grid(0.4)),
    TrainedMethod("HSIC", hsic, _grid(0.06)),
    TrainedMethod("adversarial classifier", None, _grid(6.0)),
    TrainedMethod("Sinkhorn divergence", sinkhorn, _grid(100.0), batch_size=256),
)


def fit_corrector(
    method: TrainedMethod, cells: BatchedCells, weight: float, *, seed: int, n_steps: int
) -> Corrected:
    """Train a corrector on the cells and correct them: batch term + weight * move.

    The move is the mean squared move of the minibatch's cells over the total variance of
    all cells.
    """
    started = time.perf_counter()
    data = {"features": cells.points, "batch_ids": cells.batches}
    kind = AdversarialCorrector if method.term is None else BatchCorrector
    model = kind(cells.points.shape[1], cells.n_batches, rngs=nnx.Rngs(seed))
    fit(
        model,
        data,
        objective(method, cells, weight),
        n_steps=n_steps,
        batch_size=method.batch_size,
        learning_rate=_RATE,
        seed=seed,
        progress=False,
    )
    corrected = model(cells.points, cells.batches)["corrected_features"]
    return Corrected(np.asarray(corrected), time.perf_counter() - started)


def objective(
    method: TrainedMethod, cells: BatchedCells, weight: float
) -> Callable[[dict[str, Array], dict[str, Array], Array], Array]:
    """What ``fit`` minimises."""
    variance = float(cells.points.var(axis=0).sum())
    n_batches = cells.n_batches

    def total(result: dict[str, Array], batch: dict[str, Array], where: Array) -> Array:
        points, batches = result["corrected_features"], batch["batch_ids"]
        squares = jnp.sum((points - batch["features"]) ** 2, axis=1)
        move = jnp.sum(squares, where=where) / (jnp.sum(where) * variance)
        if method.term is None:
            return confusion(result["logits"], batches, where) + weight * move
        return method.term(points, batches, n_batches, where) + weight * move

    return total


def corrected_by(method: str, cells: BatchedCells, seed: int) -> Corrected:
    """The cells, corrected by one of the untrained methods."""
    started = time.perf_counter()
    points = UNTRAINED[method](cells, seed)
    return Corrected(points, time.perf_counter() - started)


def _uncorrected(cells: BatchedCells, seed: int) -> np.ndarray:
    return cells.points


def _harmony(cells: BatchedCells, seed: int) -> np.ndarray:
    """Korsunsky et al., Nature Methods 16, 2019, with its package's defaults."""
    batches = pd.DataFrame({"batch": np.asarray(cells.batches).astype(str)})
    found = harmonypy.run_harmony(cells.points, batches, "batch", random_state=seed, verbose=False)
    corrected = np.asarray(found.Z_corr, dtype=np.float32)
    return corrected if corrected.shape == cells.points.shape else corrected.T


def _shuffled(cells: BatchedCells, seed: int) -> np.ndarray:
    """Open Problems' control without biology: every cell gets the coordinates of any other."""
    order = np.random.default_rng(seed).permutation(len(cells.points))
    return cells.points[order]


def _shuffled_within_types(cells: BatchedCells, seed: int) -> np.ndarray:
    """Open Problems' control of perfect integration: cells of a type exchange
    their coordinates.
    """
    rng = np.random.default_rng(seed)
    points, types = cells.points.copy(), np.asarray(cells.types)
    for kind in np.unique(types):
        (rows,) = np.nonzero(types == kind)
        points[rows] = points[rng.permutation(rows)]
    return points


UNTRAINED: dict[str, Callable[[BatchedCells, int], np.ndarray]] = {
    "uncorrected": _uncorrected,
    "Harmony": _harmony,
    "shuffled within types": _shuffled_within_types,
    "shuffled wholly": _shuffled,
}
