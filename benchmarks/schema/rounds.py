"""The times of two commits that are measured in rounds: the rows that the reports judge.

A round is one fresh process a side. What slows a process down slows all of its calls, so the
process is the unit: however often it calls a program, it yields one time of it.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated

from pydantic import Strict

from benchmarks.schema.environment import Packages, Version
from benchmarks.schema.fields import (
    CellCount,
    Commit,
    Count,
    Device,
    Digest,
    Name,
    Positive,
    Program,
    Row,
    Text,
    known,
)

__all__ = [
    "CALLED_CELLS",
    "COMPILED_CELLS",
    "ROUNDS_VERSION",
    "ROUND_METRICS",
    "RoundTime",
    "Side",
    "SideDescription",
    "SideError",
    "Stage",
    "TimedSide",
]

# A commit is measured by its own suite if that has this version, else by the suite of this program.
ROUNDS_VERSION = 1
CALLED_CELLS = 4096
COMPILED_CELLS = 256
ROUND_METRICS = ("cold_compile_seconds", "call_seconds")


class SideError(RuntimeError):
    """A commit cannot be built, installed or measured; the message says what failed."""


class Side(StrEnum):
    """The commit that a process measures."""

    BASE = "base"
    HEAD = "head"


class Stage(StrEnum):
    """Rounds in which all is timed, and rounds in which what may have changed is timed again."""

    FIRST = "first"
    AGAIN = "again"


@dataclass(frozen=True)
class RoundTime(Row):
    """What one process found out about one program.

    Attributes:
        stage: why the round was run.
        round: its number within the stage, from 0; both sides of a round run one after the other.
        side: whose process it is.
        benchmark: loss and transform, ``simpson:value_and_grad``.
        n_cells: number of cells.
        device: where the program ran.
        metric: one of ``ROUND_METRICS``.
        seconds: median over the visits of the process.
        ratio: median of the visits' ratios to the lower bound, measured in the same visit.
    """

    stage: Stage
    round: Count
    side: Side
    benchmark: Program
    n_cells: CellCount
    device: Device
    metric: Annotated[str, Strict(), known(ROUND_METRICS)]
    seconds: Positive
    ratio: Positive


@dataclass(frozen=True)
class SideDescription(Row):
    """All that decides what is measured of a side.

    Attributes:
        commit: its full name.
        tree: the content of the commit.
        jax: the release of jax that was installed; None for the one that is installed here.
        program: the commit of the program that measures.
        changes: the digest of uncommitted changes of that program; None where there are none.
        lower_bounds: the digest of the lower bounds.
        choices: variables of the environment that choose what is measured.
    """

    commit: Commit
    tree: Commit
    jax: Version | None
    program: Commit
    changes: Text | None
    lower_bounds: Digest
    choices: dict[Name, Text]


@dataclass(frozen=True)
class TimedSide(Row):
    """A side of the rounds: what is measured, what was installed, and the programs that failed."""

    description: SideDescription
    versions: Packages
    failures: dict[Program, Text]
