"""The rows that the experiments of ``python -m experiments`` produce."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

__all__ = ["OBSERVATIONS_VERSION", "Association", "Course", "Margin", "Scatter", "Training"]

OBSERVATIONS_VERSION = 1


class Margin(NamedTuple):
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

    loss: str
    statement: str
    condition: str
    seed: int
    margin: float | None
    numbers: Mapping[str, float]
    error: str = ""


class Association(NamedTuple):
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

    loss: str
    measure: str
    target: float | None
    recommended: bool
    cells: str
    varied: str
    at: float
    seed: int
    loss_value: float
    measure_value: float


class Training(NamedTuple):
    """What one method made of one data set.

    Attributes:
        cells: the data set.
        method: the method, with its setting.
        weight: the weight of the fidelity term; None for methods without one.
        seed: seed of the training.
        tuning: whether the weight was tuned by this row; such rows are not averaged.
        measurements: by name, as in ``TRAINING_MEASUREMENTS``.
    """

    cells: str
    method: str
    weight: float | None
    seed: int
    tuning: bool
    measurements: Mapping[str, float]


class Course(NamedTuple):
    """The loss and the mixing of the batches in the course of a training."""

    cells: str
    method: str
    seed: int
    steps: Sequence[int]
    losses: Sequence[float]
    ilisi: Sequence[float]


class Scatter(NamedTuple):
    """Cells in two dimensions, before or after a correction."""

    cells: str
    method: str
    x: Sequence[float]
    y: Sequence[float]
    batches: Sequence[int]
    types: Sequence[int]
