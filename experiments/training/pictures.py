"""What the pictures of the trainings show: cells before and after, and the course over steps."""

import tempfile
from collections.abc import Iterator

import numpy as np
from flax import nnx

from benchmarks.schema.observations import Course, Scatter
from diffbio.models import BatchCorrector
from diffbio.training import fit
from experiments.experiment import Experiment, Observed, Size
from experiments.training.cells import STARMAP, BatchedCells, cells_of
from experiments.training.methods import (
    RECOMMENDED,
    corrected_by,
    fit_corrector,
    objective,
)
from experiments.training.quality import ilisi

__all__ = ["EXPERIMENTS"]

_N_PARTS = 5


def _scatters(size: Size) -> Observed:
    """Each in a UMAP of its own, from one seed."""
    cells = cells_of(STARMAP, size.n_real_cells)
    (weight,) = RECOMMENDED.weights
    trained = fit_corrector(RECOMMENDED, cells, weight, seed=0, n_steps=size.n_steps)
    points = {
        "uncorrected": cells.points,
        "Harmony": corrected_by("Harmony", cells, 0).points,
        RECOMMENDED.name: trained.points,
    }
    return Observed(scatters=[_scatter(cells, name, at) for name, at in points.items()])


def _scatter(cells: BatchedCells, method: str, points: np.ndarray) -> Scatter:
    from umap import UMAP

    x, y = np.round(UMAP(random_state=0, n_jobs=1).fit_transform(points), 3).T.astype(float)
    types = np.zeros_like(cells.batches) if cells.types is None else cells.types
    shown = (one.tolist() for one in (x, y, cells.batches, types))
    return Scatter(STARMAP, method, *shown)


def _courses(size: Size) -> Observed:
    return Observed(courses=[_course(seed, size) for seed in range(size.n_seeds)])


def _course(seed: int, size: Size) -> Course:
    """Train in parts, each resumed from the checkpoint of the one before, and measure between."""
    cells = cells_of(STARMAP, size.n_real_cells)
    steps, losses, mixing = zip(*_parts(cells, seed, size), strict=True)
    return Course(STARMAP, RECOMMENDED.name, seed, steps, losses, mixing)


def _parts(cells: BatchedCells, seed: int, size: Size) -> Iterator[tuple[int, float, float]]:
    """Steps so far, the objective's mean over the last part, and the mixing of all cells."""
    (weight,) = RECOMMENDED.weights
    data = {"features": cells.points, "batch_ids": cells.batches}
    part = -(-size.n_steps // _N_PARTS)
    with tempfile.TemporaryDirectory() as folder:
        for n_steps in range(part, size.n_steps + 1, part):
            model = BatchCorrector(cells.points.shape[1], cells.n_batches, rngs=nnx.Rngs(seed))
            history = fit(
                model,
                data,
                objective(RECOMMENDED, cells, weight),
                n_steps=n_steps,
                seed=seed,
                checkpoint=folder,
                progress=False,
            )
            corrected = model(cells.points, cells.batches)["corrected_features"]
            mixed = ilisi(cells, np.asarray(corrected))
            yield n_steps, float(history.losses[-part:].mean()), mixed


EXPERIMENTS = (
    Experiment("training: cells before and after", _scatters),
    Experiment("training: convergence", _courses),
)
