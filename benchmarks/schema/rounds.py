"""The times of two commits that are measured in rounds: the rows that the reports judge.

A round is one fresh process a side. What slows a process down slows all of its calls, so the
process is the unit: however often it calls a program, it yields one row of a figure.
"""

from enum import StrEnum
from typing import NamedTuple

__all__ = [
    "CALLED_CELLS",
    "COMPILED_CELLS",
    "ROUNDS_VERSION",
    "RoundTime",
    "Side",
    "SideError",
    "Stage",
]

# Suites of one version measure the same: a commit's own suite measures it if its version is this.
ROUNDS_VERSION = 1
CALLED_CELLS = 4096
COMPILED_CELLS = 256


class SideError(RuntimeError):
    """A commit cannot be built, installed or measured; the message says what failed."""


class Side(StrEnum):
    """The commit that a process measures."""

    BASE = "base"
    HEAD = "head"


class Stage(StrEnum):
    """Rounds that look at every figure, and rounds that look again at what seemed to change."""

    FIRST = "first"
    AGAIN = "again"


class RoundTime(NamedTuple):
    """What one process found out about one program.

    Attributes:
        stage: why the round was run.
        round: its number within the stage, from 0; both sides of a round run one after the other.
        side: whose process it is.
        benchmark: loss and transform, ``simpson:value_and_grad``.
        n_cells: number of cells.
        device: where the program ran.
        metric: ``call_seconds`` or ``cold_compile_seconds``.
        seconds: median over the visits of the process.
        ratio: median of the visits' ratios to the lower bound, measured in the same visit.
    """

    stage: Stage
    round: int
    side: Side
    benchmark: str
    n_cells: int
    device: str
    metric: str
    seconds: float
    ratio: float
