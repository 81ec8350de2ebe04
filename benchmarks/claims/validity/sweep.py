"""A sweep over cells, at whose points losses stand beside the field's measures."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Generic, NamedTuple, TypeAlias, TypeVar

import numpy as np
from threadpoolctl import threadpool_limits

from benchmarks.claims.experiment import Experiment, Observed, Size
from benchmarks.schema.observations import Association

__all__ = ["Comparison", "Prepare", "Sweep", "experiment"]

Point = TypeVar("Point")
Prepare: TypeAlias = Callable[[Size, int], Callable[[float], Point]]
"""Maps a size and a seed to a function, which gives the point of a sweep at a value.

It goes to another process, so it is a function of a module, or a ``partial`` of one.
"""

# A loss in float32 is no more accurate. What is equal to so many digits has no rank.
_DIGITS = 5


class Sweep(NamedTuple, Generic[Point]):
    """Cells that change step by step.

    Attributes:
        cells: which cells.
        varied: what changes.
        ends: the first and the last value of what changes.
        prepare: gives the points.
    """

    cells: str
    varied: str
    ends: tuple[float, float]
    prepare: Prepare[Point]


class Comparison(NamedTuple, Generic[Point]):
    """The settings of a loss, and what they are compared with.

    Attributes:
        losses: maps a point to the loss in every setting, by its words.
        measures: maps a point to every measure, by name.
        targets: the rank correlation that is asked for, by measure.
        recommended: the words of the setting that is recommended.
    """

    losses: Callable[[Point], Mapping[str, float]]
    measures: Callable[[Point], Mapping[str, float]]
    targets: Mapping[str, float]
    recommended: str


def experiment(
    name: str, comparison: Comparison[Point], sweeps: Sequence[Sweep[Point]]
) -> Experiment:
    """The experiment that compares along the sweeps, for every seed."""

    return Experiment(f"validity: {name}", partial(_measure, comparison, sweeps))


def _measure(comparison: Comparison[Point], sweeps: Sequence[Sweep[Point]], size: Size) -> Observed:
    # Threads of NumPy's BLAS that share a core wait for each other, which can take most time.
    with threadpool_limits(1):
        return Observed(
            associations=[
                row
                for sweep in sweeps
                for seed in range(size.n_seeds)
                for row in _rows(comparison, sweep, seed, size)
            ]
        )


def _rows(
    comparison: Comparison[Point], sweep: Sweep[Point], seed: int, size: Size
) -> list[Association]:
    """A row per point, setting and measure."""
    point_at = sweep.prepare(size, seed)
    rows = []
    for at in np.linspace(*sweep.ends, size.n_points).tolist():
        point = point_at(at)
        measured = comparison.measures(point)
        rows += [
            Association(
                loss=loss,
                measure=measure,
                target=comparison.targets[measure],
                recommended=loss == comparison.recommended,
                cells=sweep.cells,
                varied=sweep.varied,
                at=at,
                seed=seed,
                loss_value=float(f"{value:.{_DIGITS}g}"),
                measure_value=found,
            )
            for loss, value in comparison.losses(point).items()
            for measure, found in measured.items()
        ]
    return rows
