"""Cells that are varied, and losses beside the field's measures at every point."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Generic, NamedTuple, TypeAlias, TypeVar

import numpy as np
from threadpoolctl import threadpool_limits

from benchmarks.schema.observations import Association
from experiments.experiment import Experiment, Observed, Size

__all__ = ["Prepare", "Validation", "Variation", "experiment"]

Point = TypeVar("Point")
Prepare: TypeAlias = Callable[[Size, int], Callable[[float], Point]]
"""Maps a size and a seed to a function, which gives the point of a variation at a value.

It goes to another process, so it is a function of a module, or a ``partial`` of one.
"""

# A loss in float32 is no more accurate. What is equal to so many digits has no rank.
_DIGITS = 5


class Variation(NamedTuple, Generic[Point]):
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


class Validation(NamedTuple, Generic[Point]):
    """The settings of a loss, and the measures that they are held against.

    Attributes:
        losses: maps a point to the loss in every setting, by name.
        measures: maps a point to every measure, by name.
        targets: the rank correlation that is asked for, by measure.
        recommended: the name of the setting that is recommended.
    """

    losses: Callable[[Point], Mapping[str, float]]
    measures: Callable[[Point], Mapping[str, float]]
    targets: Mapping[str, float]
    recommended: str


def experiment(
    name: str, validation: Validation[Point], variations: Sequence[Variation[Point]]
) -> Experiment:
    """The experiment that compares losses and measures along the variations, for every seed."""
    return Experiment(f"validity: {name}", partial(_measure, validation, variations))


def _measure(
    validation: Validation[Point], variations: Sequence[Variation[Point]], size: Size
) -> Observed:
    # Threads of NumPy's BLAS that share a core wait for each other, which can take most time.
    with threadpool_limits(1):
        return Observed(
            associations=[
                row
                for variation in variations
                for seed in range(size.n_seeds)
                for row in _rows(validation, variation, seed, size)
            ]
        )


def _rows(
    validation: Validation[Point], variation: Variation[Point], seed: int, size: Size
) -> list[Association]:
    """A row per point, setting and measure."""
    point_at = variation.prepare(size, seed)
    rows = []
    for at in np.linspace(*variation.ends, size.n_points).tolist():
        point = point_at(at)
        measured = validation.measures(point)
        rows += [
            Association(
                loss=loss,
                measure=measure,
                target=validation.targets[measure],
                recommended=loss == validation.recommended,
                cells=variation.cells,
                varied=variation.varied,
                at=at,
                seed=seed,
                loss_value=float(f"{value:.{_DIGITS}g}"),
                measure_value=found,
            )
            for loss, value in validation.losses(point).items()
            for measure, found in measured.items()
        ]
    return rows
