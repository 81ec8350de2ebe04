"""What the rounds of two commits left in their folder: times, and a sweep a side."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

import pandas as pd
from pydantic import Field

from benchmarks.schema.differences import differing
from benchmarks.schema.environment import Environment
from benchmarks.schema.fields import Positive
from benchmarks.schema.rounds import (
    ROUNDS_VERSION,
    RoundTime,
    Side,
    SideDescription,
    Stage,
    TimedSide,
)
from reports.sources.measurements import (
    Complaint,
    DamagedError,
    complaints_about,
    load_json,
    naming_damaged,
)
from reports.sources.sweep_file import ReadSweep, read_complete_sweep
from reports.sources.validation import OwnModel, checked, checked_rows

__all__ = ["MeasuredTimes", "read_counters", "read_times"]

_ROUNDS, _COUNTERS = "rounds.json", "counters.json"
# What names a time.
_TIME = [name for name in RoundTime.names() if name not in ("seconds", "ratio")]
_T = TypeVar("_T")
# The same of both sides.
_Both = Annotated[dict[Annotated[Side, Field(strict=False)], _T], Field(min_length=len(Side))]


class _TimesFile(OwnModel):
    """The rounds of two commits; the rows are checked one by one."""

    rounds_version: Literal[ROUNDS_VERSION]  # type: ignore[valid-type]
    environment: Environment
    sides: _Both[TimedSide]
    seconds: dict[Annotated[Stage, Field(strict=False)], list[Positive]] = Field(
        default_factory=dict
    )
    rows: list[Any]


class _CountersFile(OwnModel):
    """A sweep of each of two commits without times; each is checked as a file of its own."""

    rounds_version: Literal[ROUNDS_VERSION]  # type: ignore[valid-type]
    sides: _Both[SideDescription]
    sweeps: _Both[dict[str, Any]]


_File = TypeVar("_File", _TimesFile, _CountersFile)


@dataclass(frozen=True)
class MeasuredTimes:
    """The times of two commits.

    Attributes:
        times: a row per ``RoundTime``.
        sides: what each side is, its versions and failures.
        environment: the machine and the software.
        seconds: what every round took, by stage.
        complaints: rows that cannot be used.
    """

    times: pd.DataFrame
    sides: Mapping[Side, TimedSide]
    environment: Mapping[str, Any]
    seconds: Mapping[Stage, Sequence[float]]
    complaints: tuple[Complaint, ...]

    @property
    def same_bounds(self) -> bool:
        """Whether both sides measured the same lower bounds, compiled by the same release."""
        base, head = (self.sides[side] for side in Side)
        return (
            base.versions == head.versions
            and base.description.lower_bounds == head.description.lower_bounds
        )


def read_times(folder: Path) -> MeasuredTimes:
    """Read the times.

    Raises:
        DamagedError: the file is damaged, of another version, or holds no rounds.
    """
    path = folder / _ROUNDS
    file, content = _read(path, _TimesFile)
    rows, problems = checked_rows(RoundTime, file.rows, "rows", noted=["metric", "benchmark"])
    if not rows:
        raise DamagedError("; ".join([f"{path}: no round was measured", *problems]))
    times = pd.DataFrame(rows, columns=RoundTime.names())
    _check_once(path, times)
    return MeasuredTimes(
        times,
        file.sides,
        content["environment"],
        file.seconds,
        complaints_about(path, problems),
    )


def _check_once(path: Path, times: pd.DataFrame) -> None:
    """Refuse two times of a program from one process: the process is the unit."""
    twice = times[times.duplicated(_TIME)]
    if not twice.empty:
        named = ", ".join(f"{name} {twice.iloc[0][name]}" for name in _TIME)
        raise DamagedError(f"{path}: rows: {len(twice)} times stand twice, first that of {named}")


def read_counters(folder: Path, timed: Mapping[Side, TimedSide]) -> dict[Side, ReadSweep]:
    """The deterministic measurements of the sides that were timed.

    Raises:
        DamagedError: the file is missing, damaged, or of other sides, or a sweep was interrupted.
    """
    path = folder / _COUNTERS
    file, _ = _read(path, _CountersFile)
    for side, counted in file.sides.items():
        if found := differing(timed[side].description.row(), counted.row()):
            raise DamagedError(
                f"{path}: not of the {side} in {_ROUNDS}: {'; '.join(found)}; "
                f"`python -m benchmarks counters` takes the measurements again"
            )
    sweeps = {side: read_complete_sweep(path, sweep) for side, sweep in file.sweeps.items()}
    for side, sweep in sweeps.items():
        if sweep.commit != (commit := timed[side].description.commit):
            raise DamagedError(
                f"{path}: the sweep of the {side} is of {sweep.commit}, not of {commit}"
            )
    return sweeps


def _read(path: Path, schema: type[_File]) -> tuple[_File, Any]:
    """A file by its schema and as it is."""
    with naming_damaged(path):
        content = load_json(path)
        return checked(schema, content), content
