"""Measure two commits, by the benchmarks in processes of their own."""

import math
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from benchmarks.schema.files import reserved
from benchmarks.schema.rounds import Stage
from reports.commits.change import Change
from reports.commits.effects import effects
from reports.commits.judge import comparable_times, same_programs
from reports.commits.reading import MeasuredTimes, read_counters, read_times
from reports.commits.time_verdicts import (
    AGAIN_ROUNDS,
    FEWEST_FIRST_ROUNDS,
    FIRST_ROUNDS,
    fewest_again_rounds,
    open_times,
)
from reports.sources.measuring import run_benchmarks

__all__ = ["measure_commits"]

_OPTION_OF = {"cold_compile_seconds": "--compile", "call_seconds": "--call"}


def measure_commits(folder: Path, change: Change, releases: Sequence[str], minutes: float) -> int:
    """Take the deterministic measurements of both commits, and their times in rounds.

    Times that may have changed are taken again, in new rounds: the first ones chose them, and do
    not test them. How many rounds a stage gets depends on the time that is left.

    Args:
        folder: where the sides are prepared and the files are written.
        change: the commits.
        releases: the releases of jax of base and head; none for the one that is installed.
        minutes: a bound on the whole: no round begins that would end later.

    Returns:
        How many minutes it takes with all rounds.

    Raises:
        DamagedError: a commit could not be built or measured.
        UnwritableError: another comparison is measured there.
    """
    with reserved(folder):
        return _measure(folder, change, releases, minutes)


def _measure(folder: Path, change: Change, releases: Sequence[str], minutes: float) -> int:
    began = time.monotonic()
    commits = [commit.name for commit in change.commits]
    given = [*commits, f"--folder={folder}", *(["--jax", *releases] if releases else [])]
    whole = f"--command={_command(change, releases, minutes)}"

    def timed(stage: Stage, number: int, fewest: int, *options: str) -> None:
        left = max(0.0, minutes - (time.monotonic() - began) / 60)
        planned = [f"--rounds={number}", f"--fewest={fewest}", f"--minutes={left}"]
        _run("rounds", *given, f"--stage={stage}", *planned, *options)

    (folder / "rounds.json").unlink(missing_ok=True)
    _run("counters", *given)
    timed(Stage.FIRST, FIRST_ROUNDS, FEWEST_FIRST_ROUNDS, whole)
    rounds = read_times(folder)
    first = effects(comparable_times(rounds))
    candidates = open_times(first, same_programs(read_counters(folder, rounds.sides)))
    if not candidates.empty:
        timed(Stage.AGAIN, AGAIN_ROUNDS, fewest_again_rounds(len(candidates)), *_named(candidates))
    seconds = time.monotonic() - began
    return _minutes_needed(seconds, read_times(folder), with_again=not candidates.empty)


def _minutes_needed(seconds: float, rounds: MeasuredTimes, *, with_again: bool) -> int:
    """The whole minutes that all rounds take, if they are as long as those that were held.

    New rounds take at most as long as the first ones, as which they count before any is held.
    """
    held = {stage: rounds.seconds.get(stage, ()) for stage in Stage}
    of_first = np.mean(held[Stage.FIRST])
    of_again = np.mean(held[Stage.AGAIN]) if held[Stage.AGAIN] else of_first
    complete = len(held[Stage.FIRST]) >= FIRST_ROUNDS
    n_again = AGAIN_ROUNDS if with_again or not complete else 0
    beside = seconds - sum(map(sum, held.values()))
    return math.ceil((beside + FIRST_ROUNDS * of_first + n_again * of_again) / 60)


def _command(change: Change, releases: Sequence[str], minutes: float) -> str:
    """The command that measures the same commits again, in the same way and time."""
    names = [change.base.name[:8]] if releases else [each.name[:8] for each in change.commits]
    options = ["--direct"] * change.direct + (["--versions", *releases] if releases else [])
    return " ".join(["python -m reports compare", *names, *options, f"--minutes {minutes:g}"])


def _named(candidates: pd.DataFrame) -> list[str]:
    """The options that name what is compiled and called again."""
    pairs = zip(candidates["metric"], candidates["benchmark"], strict=True)
    return [f"{_OPTION_OF[metric]}={benchmark}" for metric, benchmark in pairs]


def _run(*arguments: str) -> None:
    run_benchmarks(*arguments, stdout=subprocess.DEVNULL)
