"""Two commits measured for a comparison, by the benchmarks in processes of their own."""

import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from benchmarks.schema.children import run_child
from benchmarks.schema.rounds import Stage
from reports.judge.compare_rounds import judged_times, same_programs
from reports.judge.effects import effects
from reports.judge.rounds import AGAIN_ROUNDS, FIRST_ROUNDS, worth_another_look
from reports.sources.frame import DamagedError
from reports.sources.rounds import read_rounds, read_sides

__all__ = ["measure_commits"]

# The share of the time that is left for looking again at what seems to have changed.
_SHARE_OF_FIRST = 0.75
_OPTION_OF = {"cold_compile_seconds": "--compile", "call_seconds": "--call"}


def measure_commits(
    folder: Path, commits: Sequence[str], releases: Sequence[str], minutes: float
) -> None:
    """Take the deterministic figures of both commits, and their times in rounds.

    Figures that seem to have changed are timed once more, in rounds that nobody chose them by.

    Args:
        folder: where the sides are prepared and the files are written.
        commits: full names of base and head.
        releases: the releases of jax of base and head; none for the one that is installed.
        minutes: a bound on the whole: no round begins after that.

    Raises:
        DamagedError: a commit could not be built or measured.
    """
    ends = time.monotonic() + 60 * minutes
    given = [*commits, f"--folder={folder}", *(["--jax", *releases] if releases else [])]

    def left() -> float:
        return max(0.0, ends - time.monotonic()) / 60

    (folder / "rounds.json").unlink(missing_ok=True)
    _run("counters", *given)
    for_first = f"--minutes={_SHARE_OF_FIRST * left()}"
    _run("rounds", *given, f"--rounds={FIRST_ROUNDS}", for_first)
    first = effects(judged_times(read_rounds(folder)))
    candidates = worth_another_look(first, same_programs(read_sides(folder)))
    if not candidates.empty:
        again = [f"--stage={Stage.AGAIN}", f"--rounds={AGAIN_ROUNDS}", f"--minutes={left()}"]
        _run("rounds", *given, *again, *_named(candidates))


def _named(candidates: pd.DataFrame) -> list[str]:
    """The options that name what is compiled and called again."""
    pairs = zip(candidates["metric"], candidates["benchmark"], strict=True)
    return [f"{_OPTION_OF[metric]}={benchmark}" for metric, benchmark in pairs]


def _run(*arguments: str) -> None:
    command = [sys.executable, "-m", "benchmarks", *arguments]
    if run_child(command, stdout=subprocess.DEVNULL).returncode:
        raise DamagedError(f"benchmarks {arguments[0]} did not finish")
