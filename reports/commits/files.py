"""The files of two commits that were measured in rounds, as their reader demands them."""

from typing import Annotated, Any, Generic, TypeVar

from pydantic import Field

from benchmarks.schema.rounds import Side, Stage
from reports.sources.schemas import Digest, Environment, Packages, Version
from reports.sources.validation import (
    CellCount,
    Commit,
    Count,
    Device,
    MetricName,
    Name,
    Ours,
    Positive,
    Program,
    Text,
    known,
)

__all__ = ["CountersFile", "MinutesFile", "RoundRow", "RoundsFile", "RoundsSide", "SideDescribed"]


_Side = TypeVar("_Side")


class RoundRow(Ours):
    """A ``RoundTime``."""

    stage: Annotated[str, known(Stage)]
    round: Count
    side: Annotated[str, known(Side)]
    benchmark: Program
    n_cells: CellCount
    device: Device
    metric: MetricName
    seconds: Positive
    ratio: Positive


class SideDescribed(Ours):
    """All that decides what is measured of a side."""

    commit: Commit
    tree: Commit
    jax: Version | None
    program: Commit
    changes: Text | None
    lower_bounds: Digest
    choices: dict[Name, Text]


class RoundsSide(Ours):
    """A side of the rounds: its commit, what was installed, and the programs that failed."""

    commit: Commit
    described: SideDescribed
    versions: Packages
    failures: dict[Program, Text]


class _Both(Ours, Generic[_Side]):
    """The same of both sides."""

    base: _Side
    head: _Side


class RoundsFile(Ours):
    """The rounds of two commits; the rows are checked one by one."""

    rounds_version: int
    environment: Environment
    sides: _Both[RoundsSide]
    seconds: dict[Annotated[str, known(Stage)], list[Positive]] = Field(default_factory=dict)
    rows: list[Any]


class MinutesFile(Ours):
    """How many minutes a comparison takes with all of its rounds."""

    needed: Positive


class CountersFile(Ours):
    """The deterministic figures of two commits; the sweeps are checked as files of their own."""

    rounds_version: int
    sides: _Both[SideDescribed]
    sweeps: _Both[dict[str, Any]]
