"""Trained correctors beside Harmony and the ends of the scale, on real cells.

Every trained method's weight is chosen by one rule, on STARmap with a seed that is used for
nothing else, and is kept for the unbalanced cells.
"""

from collections.abc import Mapping
from functools import partial

from benchmarks.schema.observations import Margin, Training
from experiments.experiment import Experiment, Observed, Size
from experiments.training.cells import (
    STARMAP,
    TWO_BATCHES,
    UNBALANCED,
    BatchedCells,
    cells_of,
)
from experiments.training.methods import (
    RECOMMENDED,
    TRAINED,
    UNTRAINED,
    Corrected,
    TrainedMethod,
    corrected_by,
    fit_corrector,
)
from experiments.training.quality import quality

__all__ = ["EXPERIMENTS"]

_TUNING_SEED = 1000
_MOST_MOVED = 0.03
_MOST_SECONDS = 15.0
_TYPED = (STARMAP, UNBALANCED)
_OF_TYPES = ("shuffled within types", "shuffled wholly")


def _trained(method: TrainedMethod, size: Size) -> Observed:
    """The tuning of a method, and what it makes of STARmap and of the unbalanced cells."""
    tunings = {
        weight: _train(method, STARMAP, weight, _TUNING_SEED, size, tuning=True)
        for weight in method.weights[: size.n_weights]
    }
    weight = _best_weight(tunings, _uncorrected_clisi(size))
    finals = [
        _train(method, name, weight, seed, size) for name in _TYPED for seed in range(size.n_seeds)
    ]
    return Observed(trainings=[*tunings.values(), *finals])


def _uncorrected_clisi(size: Size) -> float:
    """How well STARmap keeps its types apart as it is."""
    cells = cells_of(STARMAP, size.n_real_cells)
    return quality(cells, cells.points)["clisi"]


def _best_weight(tunings: Mapping[float, Training], least_clisi: float) -> float:
    """The best mixed of those that preserve and hardly move; else what moves least."""
    found = {weight: row.measurements for weight, row in tunings.items()}
    kept = [
        weight
        for weight, measured in found.items()
        if measured["clisi"] >= least_clisi and measured["moved"] <= _MOST_MOVED
    ]
    if kept:
        return max(kept, key=lambda weight: found[weight]["ilisi"])
    return min(found, key=lambda weight: found[weight]["moved"])


def _train(
    method: TrainedMethod,
    name: str,
    weight: float,
    seed: int,
    size: Size,
    *,
    tuning: bool = False,
) -> Training:
    cells = cells_of(name, size.n_real_cells)
    corrected = fit_corrector(method, cells, weight, seed=seed, n_steps=size.n_steps)
    return Training(name, method.name, weight, seed, tuning, _measured(cells, corrected))


def _untrained(method: str, size: Size) -> Observed:
    names = _TYPED if method in _OF_TYPES else (*_TYPED, TWO_BATCHES)
    return Observed(
        trainings=[
            _correct(method, name, seed, size) for name in names for seed in range(size.n_seeds)
        ]
    )


def _correct(method: str, name: str, seed: int, size: Size) -> Training:
    cells = cells_of(name, size.n_real_cells)
    return Training(
        name, method, None, seed, False, _measured(cells, corrected_by(method, cells, seed))
    )


def _measured(cells: BatchedCells, corrected: Corrected) -> dict[str, float]:
    return {**quality(cells, corrected.points), "seconds": corrected.seconds}


def _recommended(size: Size) -> Observed:
    """The recommended setting, unchanged on all cells, and whether it reaches Harmony."""
    (weight,) = RECOMMENDED.weights
    rows = [
        _train(RECOMMENDED, name, weight, seed, size)
        for name in (*_TYPED, TWO_BATCHES)
        for seed in range(size.n_seeds)
    ]
    on_starmap = [row for row in rows if row.cells == STARMAP]
    return Observed(
        trainings=rows, margins=[one for row in on_starmap for one in _beside_harmony(row, size)]
    )


def _beside_harmony(row: Training, size: Size) -> list[Margin]:
    """The margins of one seed over Harmony with the same seed."""
    harmony = _correct("Harmony", row.cells, row.seed, size).measurements
    found = row.measurements
    margins = {
        "iLISI": (found["ilisi"] - harmony["ilisi"], "ilisi"),
        "cLISI": (found["clisi"] - harmony["clisi"], "clisi"),
        f"at most {_MOST_MOVED:.0%} of the variance moved": (_MOST_MOVED - found["moved"], "moved"),
        f"at most {_MOST_SECONDS:.0f} s": (_MOST_SECONDS - found["seconds"], "seconds"),
    }
    return [
        Margin(
            "batch mixing",
            "A corrector trained with it reaches Harmony on STARmap",
            condition,
            row.seed,
            margin,
            {"ours": found[name], "Harmony": harmony[name]},
            error="",
        )
        for condition, (margin, name) in margins.items()
    ]


EXPERIMENTS = (
    *(Experiment(f"training: {m.name}", partial(_trained, m)) for m in reversed(TRAINED)),
    Experiment("training: recommended", _recommended),
    *(Experiment(f"training: {name}", partial(_untrained, name)) for name in UNTRAINED),
)
