"""The rows that the experiments of ``python -m experiments`` produce."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated

from pydantic import Field, Strict, model_validator

from benchmarks.schema.fields import (
    Count,
    Finite,
    Flag,
    Name,
    Numbers,
    Row,
    Text,
)

__all__ = ["OBSERVATIONS_VERSION", "Association", "Course", "Margin", "Scatter", "Training"]

OBSERVATIONS_VERSION = 1
# -1 where a cell has none.
_Label = Annotated[int, Strict()]


@dataclass(frozen=True)
class Margin(Row):
    """By how much a claim held, for one seed under one condition.

    Attributes:
        loss: the loss that the claim is about.
        statement: the claim, in the document's words or near them.
        condition: the circumstances, such as a weight; empty if there are none.
        seed: seed of the data and of the training.
        margin: positive where the claim held, in any unit; None if the experiment failed.
        numbers: what was measured, by name.
        error: why there is no margin; empty if there is one.
    """

    loss: Name
    statement: Name
    condition: Text
    seed: Count
    margin: Finite | None
    numbers: Numbers
    error: Text


@dataclass(frozen=True)
class Association(Row):
    """A loss beside a measure of the field, at one point of a sweep over cells.

    Attributes:
        loss: the loss with its setting, such as ``batch mixing, local, T = 1``.
        measure: the measure of the field.
        target: the rank correlation that is asked for, with its sign; None for none.
        recommended: whether this is the setting that is recommended.
        cells: which cells.
        varied: what is swept.
        at: its value.
        seed: seed of the point.
        loss_value: what the loss says.
        measure_value: what the measure says.
    """

    loss: Name
    measure: Name
    target: Annotated[float, Strict(), Field(ge=-1, le=1)] | None
    recommended: Flag
    cells: Name
    varied: Name
    at: Finite
    seed: Count
    loss_value: Finite
    measure_value: Finite


@dataclass(frozen=True)
class Training(Row):
    """What one method made of one data set.

    Attributes:
        cells: the data set.
        method: the method, with its setting.
        weight: the weight of the fidelity term; None for methods without one.
        seed: seed of the training.
        tuning: whether the weight was tuned by this row; such rows are not averaged.
        measurements: by name, as in ``TRAINING_MEASUREMENTS``.
    """

    cells: Name
    method: Name
    weight: Finite | None
    seed: Count
    tuning: Flag
    measurements: Numbers


@dataclass(frozen=True)
class Course(Row):
    """The loss and the mixing of the batches in the course of a training."""

    cells: Name
    method: Name
    seed: Count
    steps: Sequence[Count]
    losses: Sequence[Finite]
    ilisi: Sequence[Finite]

    @model_validator(mode="after")
    def _as_long_as_each_other(self) -> "Course":
        if not len(self.steps) == len(self.losses) == len(self.ilisi):
            raise ValueError("steps, losses and ilisi have different lengths")
        return self


@dataclass(frozen=True)
class Scatter(Row):
    """Cells in two dimensions, before or after a correction."""

    cells: Name
    method: Name
    x: Sequence[Finite]
    y: Sequence[Finite]
    batches: Sequence[_Label]
    types: Sequence[_Label]

    @model_validator(mode="after")
    def _as_long_as_each_other(self) -> "Scatter":
        if not len(self.x) == len(self.y) == len(self.batches) == len(self.types):
            raise ValueError("x, y, batches and types have different lengths")
        return self
