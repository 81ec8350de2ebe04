"""The comparison of a published sweep with the same sweep measured again, row by row."""

from enum import StrEnum
from typing import Any

import numpy as np
import pandas as pd

from benchmarks.schema.metrics import METRICS, Kind
from benchmarks.schema.records import Status
from benchmarks.schema.tolerances import TOLERANCES
from reports.judge.baseline import key
from reports.judge.rules import tolerated
from reports.judge.samples import judge_samples, usual_change
from reports.judge.verdict import WALL_CLOCK, Answer, Verdict
from reports.sources.frame import KEY
from reports.sources.sweep import Sweep

__all__ = ["Outcome", "answer", "counts", "different", "outcomes", "speeds"]


class Outcome(StrEnum):
    """How a figure that was measured again compares with the published one."""

    IDENTICAL = "identical bits"
    TOLERATED = "within tolerance"
    INDISTINGUISHABLE = "statistically indistinguishable"
    DIFFERENT = "different"
    INCOMPARABLE = "not comparable here"


# Figures that another number of cores, or another processor, may change.
_OF_THE_PROCESSOR = ("hlo_fingerprint", "result_digest")


def outcomes(published: Sweep, again: Sweep) -> pd.DataFrame:
    """Every figure of either sweep, and every data set, with its outcome and the reason.

    Returns:
        ``KEY``, ``kind``, ``published``, ``again``, ``outcome``, ``reason``.
    """
    columns = [*KEY, "value", "samples", "status"]
    merged = published.frame[columns].merge(
        again.frame[columns], on=KEY, how="outer", suffixes=("_then", "_now")
    )
    here = _Comparability(published, again)
    rows = [here.judge(row) for row in merged.itertuples(index=False)]
    found = merged[KEY].assign(
        kind=[METRICS[metric].kind for metric in merged["metric"]],
        published=merged["value_then"],
        again=merged["value_now"],
    )
    found[["outcome", "reason"]] = rows
    return pd.concat([_data(published, again), found], ignore_index=True)


def answer(found: pd.DataFrame) -> Answer:
    """Whether the report was reproduced: times inform, any other difference fails it."""
    if (~different(found)["kind"].isin(WALL_CLOCK)).any():
        return Answer.FAILS
    incomparable = found["outcome"] == Outcome.INCOMPARABLE
    return Answer.UNJUDGED if incomparable.all() else Answer.PASSES


def different(found: pd.DataFrame) -> pd.DataFrame:
    """The rows that are different now."""
    return found[found["outcome"] == Outcome.DIFFERENT]


def counts(found: pd.DataFrame) -> pd.DataFrame:
    """Number of rows by kind of figure and outcome."""
    counted = pd.crosstab(found["kind"], found["outcome"])
    return counted.reindex(columns=[outcome for outcome in Outcome if outcome in counted])


def speeds(found: pd.DataFrame) -> pd.DataFrame:
    """Quartiles, over all programs, of each wall-clock figure now over what it was then."""
    timed = found[found["kind"].isin(WALL_CLOCK)].dropna(subset=["published", "again"])
    ratio = timed["again"].astype(float) / timed["published"].astype(float)
    return ratio.groupby(timed["metric"]).describe()[["count", "25%", "50%", "75%"]].round(3)


def _data(published: Sweep, again: Sweep) -> pd.DataFrame:
    """A row per data set, by the digest of its cells."""
    then, now = published.data_digests, again.data_digests
    names = sorted({*then, *now})
    digests = [(then.get(name), now.get(name)) for name in names]
    return pd.DataFrame(
        {
            "benchmark": names,
            "source": "",
            "n_cells": 0,
            "device": "",
            "metric": "data",
            "kind": "data",
            "published": [before for before, _ in digests],
            "again": [after for _, after in digests],
            "outcome": [_data_outcome(*pair) for pair in digests],
            "reason": "",
        }
    )


def _data_outcome(then: str | None, now: str | None) -> Outcome:
    if then is None or now is None:
        return Outcome.INCOMPARABLE
    return Outcome.IDENTICAL if then == now else Outcome.DIFFERENT


class _Comparability:
    """Judges figures by what should be the same on the machines that both were measured on."""

    def __init__(self, published: Sweep, again: Sweep) -> None:
        then, now = published.environment, again.environment
        self._versions = key(published) == key(again)
        self._cores = self._versions and then["cores"] == now["cores"]
        self._machine = self._cores and then["cpu"] == now["cpu"]

    def judge(self, row: Any) -> tuple[Outcome, str]:
        """The outcome of a figure, and the reason where it is not obvious."""
        if not row.status_then == row.status_now == Status.OK:
            return _of_the_unmeasured(row)
        if row.value_then == row.value_now:
            return Outcome.IDENTICAL, ""
        metric = METRICS[row.metric]
        if metric.kind in WALL_CLOCK:
            return self._time(row)
        if metric.kind == Kind.ACCURACY:
            close = tolerated(row.metric, row.value_now)
            return _within(close, TOLERANCES[row.metric])
        if row.metric == "value":
            tolerance = TOLERANCES["value_error"] * max(abs(row.value_then), 1.0)
            return _within(abs(row.value_now - row.value_then) <= tolerance, tolerance)
        expected = self._machine if row.metric in _OF_THE_PROCESSOR else self._versions
        if expected:
            return Outcome.DIFFERENT, ""
        return Outcome.INCOMPARABLE, "another processor, number of cores or version"

    def _time(self, row: Any) -> tuple[Outcome, str]:
        """The outcome by the test for commits; a run's own visits say what change is usual."""
        if not self._machine:
            return Outcome.INCOMPARABLE, "another machine or version"
        then, now = row.samples_then, row.samples_now
        if min(len(then), len(now)) == 0:
            return Outcome.INCOMPARABLE, "one sample"
        judged = judge_samples(then, now, max(then, now, key=usual_change))
        if np.isnan(judged.p):
            return Outcome.INCOMPARABLE, "too few samples"
        reason = f"ratio {judged.ratio:.3f}, p {judged.p:.2g}, usual {judged.threshold:.0%}"
        same = judged.verdict in (Verdict.UNCHANGED, Verdict.NOISE)
        return Outcome.INDISTINGUISHABLE if same else Outcome.DIFFERENT, reason


def _of_the_unmeasured(row: Any) -> tuple[Outcome, str]:
    """A figure that failed now is different; one that is missing somewhere is not comparable."""
    then, now = ("missing" if pd.isna(s) else s for s in (row.status_then, row.status_now))
    if Status.OK not in (then, now):
        return Outcome.INCOMPARABLE, "measured neither then nor now"
    lost = then == Status.OK and now == Status.FAILED
    return Outcome.DIFFERENT if lost else Outcome.INCOMPARABLE, f"then {then}, now {now}"


def _within(close: bool, tolerance: float) -> tuple[Outcome, str]:
    return Outcome.TOLERATED if close else Outcome.DIFFERENT, f"tolerance {tolerance:g}"
