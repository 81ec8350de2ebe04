"""The course of every figure over the commits, and where it took a step."""

import itertools
from collections.abc import Iterator
from typing import NamedTuple

import pandas as pd
from asv.step_detect import detect_steps

from benchmarks.schema.metrics import Direction
from benchmarks.schema.records import Source, Status
from reports.sources.measurements import KEY

__all__ = ["NEWEST_COMMITS", "Course", "Step", "courses"]

# A page must stay small, however many commits were measured.
NEWEST_COMMITS = 100

_SERIES = [*KEY, "unit", "machine", "environment"]
# A step of a smaller share of the level before is not worth a line on the page.
_SMALLEST_STEP = 0.05


class Step(NamedTuple):
    """A level that holds from a commit on, and the one before it."""

    commit: str
    date: str
    before: float
    after: float


class Course(NamedTuple):
    """One figure on one machine and environment, oldest first, at the newest commits."""

    benchmark: str
    n_cells: int
    device: str
    metric: str
    unit: str
    machine: str
    environment: str
    commits: tuple[str, ...]
    dates: tuple[str, ...]
    values: tuple[float, ...]
    steps: tuple[Step, ...]


def courses(frame: pd.DataFrame) -> list[Course]:
    """Every numeric figure of simulated cells that was measured at two commits or more."""
    rows = frame[
        (frame["status"] == Status.OK)
        & (frame["source"] == Source.SIMULATED)
        & (frame["better"] != Direction.EQUAL)
        & frame["commit"].notna()
    ]
    rows = rows.sort_values("date", kind="stable").drop_duplicates(
        [*_SERIES, "commit"], keep="last"
    )
    return list(_courses(rows))


def _courses(rows: pd.DataFrame) -> Iterator[Course]:
    for names, own in rows.groupby(_SERIES, sort=True, dropna=False):
        if len(own) < 2:
            continue
        own = own.tail(NEWEST_COMMITS)
        named = dict(zip(_SERIES, names, strict=True))
        values = own["value"].astype(float)
        yield Course(
            **{name: named[name] for name in _SERIES if name != "source"},
            commits=tuple(own["commit"]),
            dates=tuple(own["date"]),
            values=tuple(values),
            steps=tuple(_steps(own, list(values))),
        )


def _steps(rows: pd.DataFrame, values: list[float]) -> Iterator[Step]:
    """The steps of asv's fit of constant pieces that are worth a line on the page."""
    for (_, _, before, *_), (start, _, after, *_) in itertools.pairwise(detect_steps(values)):
        if abs(after - before) > _SMALLEST_STEP * abs(before):
            row = rows.iloc[start]
            yield Step(row["commit"], row["date"], before, after)
