"""What the rounds of two commits left in their folder: times, and a sweep a side."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from benchmarks.schema.rounds import ROUNDS_VERSION, RoundTime, Side
from reports.sources.fields import checked, checked_rows
from reports.sources.frame import Complaint, DamagedError, load_json
from reports.sources.schemas import MinutesFile, RoundRow, RoundsFile, RoundsSide
from reports.sources.sweep import Sweep, read_complete_sweep

__all__ = ["MINUTES", "Rounds", "holds_rounds", "read_minutes", "read_rounds", "read_sides"]

# What a comparison writes beside the rounds: how long it takes.
MINUTES = "minutes.json"
_FILE = "rounds.json"


@dataclass(frozen=True)
class Rounds:
    """The times of two commits.

    Attributes:
        times: a row per ``RoundTime``.
        sides: commit, versions and failures of each side.
        environment: the machine and the software.
        seconds: what every round took, by stage.
        complaints: rows that cannot be used.
    """

    times: pd.DataFrame
    sides: Mapping[Side, RoundsSide]
    environment: Mapping[str, Any]
    seconds: Mapping[str, Sequence[float]]
    complaints: tuple[Complaint, ...]

    @property
    def same_bounds(self) -> bool:
        """Whether both sides measured the same lower bounds, compiled by the same release."""
        base, head = (self.sides[side] for side in Side)
        return (
            base.versions == head.versions
            and base.described.lower_bounds == head.described.lower_bounds
        )


def holds_rounds(folder: Path) -> bool:
    """Whether rounds were measured into the folder."""
    return (folder / _FILE).exists()


def read_rounds(folder: Path) -> Rounds:
    """Read the times.

    Raises:
        DamagedError: the file is damaged, of another version, or holds no rounds.
    """
    path = folder / _FILE
    try:
        content = load_json(path)
        file = checked(RoundsFile, content)
    except DamagedError as error:
        raise DamagedError(f"{path}: {error}") from error
    if file.rounds_version != ROUNDS_VERSION:
        raise DamagedError(
            f"{path}: rounds_version is {file.rounds_version}, this program reads {ROUNDS_VERSION}"
        )
    rows, problems = checked_rows(RoundRow, file.rows, "rows", noted=["metric", "benchmark"])
    if not rows:
        raise DamagedError("; ".join([f"{path}: no round was measured", *problems]))
    times = pd.DataFrame([row.model_dump() for row in rows], columns=list(RoundTime._fields))
    return Rounds(
        times,
        {side: getattr(file.sides, side) for side in Side},
        content["environment"],
        file.seconds,
        tuple(Complaint(str(path), problem) for problem in problems),
    )


def read_minutes(folder: Path) -> MinutesFile | None:
    """The minutes that a comparison takes; None for rounds that were measured without one.

    Raises:
        DamagedError: the file is damaged.
    """
    path = folder / MINUTES
    if not path.exists():
        return None
    try:
        return checked(MinutesFile, load_json(path))
    except DamagedError as error:
        raise DamagedError(f"{path}: {error}") from error


def read_sides(folder: Path) -> dict[Side, Sweep]:
    """The deterministic figures of both sides.

    Raises:
        DamagedError: a sweep is missing, damaged or was interrupted.
    """
    return {side: read_complete_sweep(folder / f"{side}.json") for side in Side}
