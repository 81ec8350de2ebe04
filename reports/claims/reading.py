"""The file of the experiments: claims, associations, trainings, and what their plots show."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, NamedTuple

import pandas as pd
from pydantic import Field, model_validator

from benchmarks.schema.observations import (
    OBSERVATIONS_VERSION,
    Association,
    Course,
    Margin,
    Scatter,
    Training,
)
from reports.sources.measurements import Complaint, DamagedError, load_json, naming_damaged
from reports.sources.schemas import Environment
from reports.sources.validation import Count, Name, Ours, Text, checked, checked_rows

__all__ = ["Observations", "read_observations"]

_Finite = Annotated[float, Field(allow_inf_nan=False)]
_Numbers = dict[Name, _Finite]


class _Environment(Environment):
    size: dict[Name, Count | None]


class _File(Ours):
    schema_version: int
    environment: _Environment
    steps: list[Name]
    unfinished: list[Name]
    margins: list[Any]
    associations: list[Any]
    trainings: list[Any]
    courses: list[Any]
    scatters: list[Any]


class _Margin(Ours):
    loss: Name
    statement: Name
    condition: Text
    seed: Count
    margin: _Finite | None
    numbers: _Numbers
    error: Text


class _Association(Ours):
    loss: Name
    measure: Name
    target: Annotated[float, Field(ge=-1, le=1)] | None
    recommended: bool
    cells: Name
    varied: Name
    at: _Finite
    seed: Count
    loss_value: _Finite
    measure_value: _Finite


class _Training(Ours):
    cells: Name
    method: Name
    weight: _Finite | None
    seed: Count
    tuning: bool
    measurements: _Numbers


class _Course(Ours):
    cells: Name
    method: Name
    seed: Count
    steps: list[Count]
    losses: list[_Finite]
    ilisi: list[_Finite]

    @model_validator(mode="after")
    def _as_long_as_each_other(self) -> "_Course":
        if not len(self.steps) == len(self.losses) == len(self.ilisi):
            raise ValueError("steps, losses and ilisi have different lengths")
        return self


class _Scatter(Ours):
    cells: Name
    method: Name
    x: list[_Finite]
    y: list[_Finite]
    batches: list[int]
    types: list[int]

    @model_validator(mode="after")
    def _as_long_as_each_other(self) -> "_Scatter":
        if not len(self.x) == len(self.y) == len(self.batches) == len(self.types):
            raise ValueError("x, y, batches and types have different lengths")
        return self


class _List(NamedTuple):
    """A list of the file: what a row must be, and what the rows of its frame are."""

    model: type[Ours]
    row: Any


_LISTS = {
    "margins": _List(_Margin, Margin),
    "associations": _List(_Association, Association),
    "trainings": _List(_Training, Training),
    "courses": _List(_Course, Course),
    "scatters": _List(_Scatter, Scatter),
}


@dataclass(frozen=True)
class Observations:
    """What the experiments found; each list is a frame with the columns of its rows.

    Attributes:
        path: where it was read.
        environment: the machine, software and commit.
        complaints: what of the file cannot be used.
        margins, associations, trainings, courses, scatters: see ``benchmarks.schema``.
    """

    path: Path
    environment: dict[str, Any]
    complaints: tuple[Complaint, ...]
    margins: pd.DataFrame
    associations: pd.DataFrame
    trainings: pd.DataFrame
    courses: pd.DataFrame
    scatters: pd.DataFrame


def read_observations(path: Path) -> Observations:
    """Read the file that ``python -m benchmarks claims`` writes.

    Raises:
        DamagedError: not such a file, or of another version.
    """
    with naming_damaged(path):
        file = _read(path)
    problems, frames = [], {}
    for name, (model, row) in _LISTS.items():
        rows, wrong = checked_rows(model, getattr(file, name), name)
        frames[name] = pd.DataFrame([one.model_dump() for one in rows], columns=row._fields)
        problems += wrong
    if left := len(file.unfinished):
        problems.append(f"interrupted: {left} of {len(file.steps)} experiments are missing")
    complaints = tuple(Complaint(str(path), problem) for problem in problems)
    return Observations(path, file.environment.model_dump(), complaints, **frames)


def _read(path: Path) -> _File:
    content = load_json(path)
    if not isinstance(content, dict) or "margins" not in content:
        raise DamagedError("not the results of experiments")
    if (version := content.get("schema_version")) != OBSERVATIONS_VERSION:
        raise DamagedError(
            f"schema_version is {version!r}, this program reads {OBSERVATIONS_VERSION}"
        )
    return checked(_File, content)
