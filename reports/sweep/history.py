"""The history of every measurement over the commits, and where it jumped."""

import itertools
from collections.abc import Iterator
from typing import NamedTuple

import pandas as pd
from asv.step_detect import detect_steps

from benchmarks.schema.metrics import Direction
from benchmarks.schema.records import Source, Status
from reports.sources.measurements import KEY

__all__ = ["NEWEST_COMMITS", "History", "Jump", "histories"]

# A page must stay small, however many commits were measured.
NEWEST_COMMITS = 100

_SERIES = [*KEY, "unit", "machine", "environment"]
# A jump of a smaller share of the level before is not worth a line on the page.
_SMALLEST_JUMP = 0.05


class Jump(NamedTuple):
    """A level that holds from a commit on, and the one before it."""

    commit: str
    date: str
    before: float
    after: float


class History(NamedTuple):
    """One measurement on one machine and environment, oldest first, at the newest commits."""

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
    jumps: tuple[Jump, ...]


def histories(frame: pd.DataFrame) -> list[History]:
    """Every number of simulated cells that was measured at two commits or more."""
    rows = frame[
        (frame["status"] == Status.OK)
        & (frame["source"] == Source.SIMULATED)
        & (frame["better"] != Direction.EQUAL)
        & frame["commit"].notna()
    ]
    rows = rows.sort_values("date", kind="stable").drop_duplicates(
        [*_SERIES, "commit"], keep="last"
    )
    return list(_histories(rows))


def _histories(rows: pd.DataFrame) -> Iterator[History]:
    for names, own in rows.groupby(_SERIES, sort=True, dropna=False):
        if len(own) < 2:
            continue
        own = own.tail(NEWEST_COMMITS)
        named = dict(zip(_SERIES, names, strict=True))
        values = own["value"].astype(float)
        yield History(
            **{name: named[name] for name in _SERIES if name != "source"},
            commits=tuple(own["commit"]),
            dates=tuple(own["date"]),
            values=tuple(values),
            jumps=tuple(_jumps(own, list(values))),
        )


def _jumps(rows: pd.DataFrame, values: list[float]) -> Iterator[Jump]:
    """The jumps of asv's fit of constant pieces that are worth a line on the page."""
    for (_, _, before, *_), (start, _, after, *_) in itertools.pairwise(detect_steps(values)):
        if abs(after - before) > _SMALLEST_JUMP * abs(before):
            row = rows.iloc[start]
            yield Jump(row["commit"], row["date"], before, after)
