"""The file of the experiments: claims, associations, trainings, and what their plots show."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import pandas as pd

from benchmarks.schema.environment import Environment
from benchmarks.schema.fields import Count, Name, Row
from benchmarks.schema.observations import (
    OBSERVATIONS_VERSION,
    Association,
    Course,
    Margin,
    Scatter,
    Training,
)
from reports.sources.measurements import Complaint, complaints_about, load_json, naming_damaged
from reports.sources.validation import OwnModel, checked, checked_rows

__all__ = ["Observations", "read_observations"]

_LISTS: Mapping[str, type[Row]] = {
    "margins": Margin,
    "associations": Association,
    "trainings": Training,
    "courses": Course,
    "scatters": Scatter,
}


@dataclass(frozen=True, kw_only=True)
class _Environment(Environment):
    size: dict[Name, Count | None]


class _File(OwnModel):
    """The file of the experiments; the rows of its lists are checked one by one."""

    schema_version: Literal[OBSERVATIONS_VERSION]  # type: ignore[valid-type]
    environment: _Environment
    steps: list[Name]
    unfinished: list[Name]
    margins: list[Any]
    associations: list[Any]
    trainings: list[Any]
    courses: list[Any]
    scatters: list[Any]


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
        file = checked(_File, load_json(path))
    problems, frames = [], {}
    for name, model in _LISTS.items():
        rows, wrong = checked_rows(model, getattr(file, name), name)
        frames[name] = pd.DataFrame([row.row() for row in rows], columns=model.names())
        problems += wrong
    if left := len(file.unfinished):
        problems.append(f"interrupted: {left} of {len(file.steps)} experiments are missing")
    return Observations(path, file.environment.row(), complaints_about(path, problems), **frames)
