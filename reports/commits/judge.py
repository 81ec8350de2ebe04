"""Two commits that were measured in rounds: the verdict on every measurement of them."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from benchmarks.schema.metrics import Kind
from benchmarks.schema.records import Source
from benchmarks.schema.rounds import Side, Stage, TimedSide
from reports.commits.judged_change import HeldRounds, JudgedChange
from reports.commits.reading import MeasuredTimes, read_counters, read_times
from reports.commits.time_verdicts import AGAIN_ROUNDS, Program, judge_times
from reports.rules.counters import deterministic, judge_counters, mark_unmeasured
from reports.rules.verdicts import Verdict, gates
from reports.sources.measurements import DamagedError
from reports.sources.sweep_file import ReadSweep

__all__ = ["comparable_times", "judge_change", "same_programs"]

# A time scatters where its quartiles lie further apart than this share of the median.
_LARGE_IQR = 0.1
# Shorter times are mostly those of the call and the clock.
_SHORTEST_STEADY_SECONDS = 1e-3
# Two compilers make different programs of one loss: these say nothing of the loss then.
_OF_THE_COMPILER = (Kind.COUNTER, Kind.MEMORY)
_PROGRAM = ["benchmark", "n_cells", "device"]


def judge_change(
    folder: Path,
    base: str,
    head: str,
    *,
    on_time: bool = False,
    baseline_renewed: bool = False,
    minutes_needed: int | None = None,
) -> JudgedChange:
    """Judge what was measured into a folder: counters and errors one by one, times together.

    Args:
        folder: holds the rounds and the counters.
        base, head: full names of the commits.
        on_time: whether times that got worse fail the change.
        baseline_renewed: whether measurements may vanish.
        minutes_needed: how long all rounds take; None where nobody measured that.

    Raises:
        DamagedError: a file is missing or damaged, or holds other commits than asked for, or
            others than the other file.
    """
    rounds = read_times(folder)
    if (held := [rounds.sides[side].description.commit for side in Side]) != [base, head]:
        names = " and ".join(commit[:8] for commit in held)
        raise DamagedError(f"{folder} holds rounds of {names}, not of {base[:8]} and {head[:8]}")
    sweeps = read_counters(folder, rounds.sides)
    times = _times(rounds, same_programs(sweeps))
    found = pd.concat([_counters(sweeps), times], ignore_index=True)
    found["gates"] = gates(found, on_time=on_time, baseline_renewed=baseline_renewed)
    return JudgedChange(
        found,
        rounds.complaints,
        processor=f"{rounds.environment['cpu']}, {rounds.environment['cores']} cores",
        versions=_versions(rounds.sides),
        baseline_renewed=baseline_renewed,
        command=rounds.environment["command"] + " --gate-on-time" * on_time,
        held=_held(rounds.times, bool(times["opened"].any()), minutes_needed),
        on_time=on_time,
    )


def same_programs(sweeps: Mapping[Side, ReadSweep]) -> set[Program]:
    """Program, cells and device where both sides compiled to the same instructions."""
    base, head = (
        sweep.frame[sweep.frame["metric"] == "hlo_fingerprint"].set_index(_PROGRAM)["value"]
        for sweep in (sweeps[Side.BASE], sweeps[Side.HEAD])
    )
    both = pd.concat([base, head], axis=1, join="inner", keys=list(Side))
    return set(both.index[both[Side.BASE] == both[Side.HEAD]])


def comparable_times(rounds: MeasuredTimes) -> pd.DataFrame:
    """The times, with a ratio that can be compared between the sides.

    Where the sides did not measure the same lower bounds, a ratio to them says nothing about the
    loss. Then the ratio is the seconds.
    """
    return rounds.times if rounds.same_bounds else rounds.times.assign(ratio=rounds.times.seconds)


def _held(times: pd.DataFrame, opened: bool, minutes_needed: int | None) -> HeldRounds:
    """The rounds that both sides have, and how many there should be."""
    sides = times.groupby(["stage", "round"])["side"].nunique()
    both = sides[sides == len(Side)].groupby("stage").size()
    return HeldRounds(
        first=int(both.get(Stage.FIRST, 0)),
        again=int(both.get(Stage.AGAIN, 0)),
        again_planned=AGAIN_ROUNDS if opened else 0,
        minutes_needed=minutes_needed,
    )


def _counters(sweeps: Mapping[Side, ReadSweep]) -> pd.DataFrame:
    before, after = (deterministic(sweeps[side].frame) for side in Side)
    found = judge_counters(before, mark_unmeasured(before, after))
    found = found.assign(n_before=1, n_after=1, tested=False, unstable=False)
    if sweeps[Side.BASE].compiled_with == sweeps[Side.HEAD].compiled_with:
        return found
    differing = found["verdict"].isin([Verdict.REGRESSED, Verdict.IMPROVED, Verdict.CHANGED])
    incomparable = differing & found["kind"].isin(_OF_THE_COMPILER)
    return found.assign(verdict=found["verdict"].mask(incomparable, Verdict.INCOMPARABLE))


def _times(rounds: MeasuredTimes, same: set[Program]) -> pd.DataFrame:
    found = judge_times(comparable_times(rounds), same).assign(source=Source.SIMULATED)
    absence = [_absence(row, rounds.sides) for row in found.itertuples()]
    known = pd.DataFrame(absence, columns=["verdict", "detail"], index=found.index)
    return found.assign(
        verdict=known["verdict"].fillna(found["verdict"]),
        detail=known["detail"],
        unstable=_scatters(found, "before") | _scatters(found, "after"),
    )


def _scatters(times: pd.DataFrame, side: str) -> pd.Series:
    """Whether a time that both sides have scatters on one, or is too short to be measured well."""
    scattered = times[f"{side}_iqr"] > _LARGE_IQR * times[side]
    short = (times["unit"] == "s") & (times[side] < _SHORTEST_STEADY_SECONDS)
    return times["after"].notna() & (scattered | short)


def _absence(row: Any, sides: Mapping[Side, TimedSide]) -> tuple[Verdict | None, str]:
    """The verdict on a time that a side does not have, and its reason; None where both have it."""
    if row.n_before and row.n_after:
        return None, ""
    if not row.n_before:
        return Verdict.ADDED, ""
    failure = sides[Side.HEAD].failures.get(row.benchmark)
    return (Verdict.REMOVED, "") if failure is None else (Verdict.FAILING, failure)


def _versions(sides: Mapping[Side, TimedSide]) -> str:
    """The release of jax, or both."""
    base, head = (sides[side].versions["jax"] for side in Side)
    return f"jax {base}" if base == head else f"jax {base} before, {head} after"
