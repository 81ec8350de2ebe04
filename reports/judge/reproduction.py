"""A published sweep against the same measured again: row by row, what is the same."""

import numpy as np
import pandas as pd

from benchmarks.schema.metrics import METRICS
from benchmarks.schema.tolerances import TOLERANCES
from reports.judge.baseline import key
from reports.judge.verdict import judge_samples, usual_change
from reports.sources.frame import KEY
from reports.sources.sweep import Sweep

__all__ = ["OUTCOMES", "WALL_CLOCK", "outcomes", "speeds", "table"]

# Kinds of figures that depend on what else the machine does; they inform.
WALL_CLOCK = ("time", "compile", "peak")

OUTCOMES = (
    "identical bits",
    "within tolerance",
    "statistically indistinguishable",
    "different",
    "not comparable here",
)
_IDENTICAL, _TOLERATED, _INDISTINGUISHABLE, _DIFFERENT, _INCOMPARABLE = OUTCOMES
# Figures that another number of cores, or another processor, may change.
_OF_THE_CORES = ("hlo_fingerprint", "result_digest")


def outcomes(published: Sweep, again: Sweep) -> pd.DataFrame:
    """Every figure of either sweep, and of the data, with its outcome and the reason.

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


def table(found: pd.DataFrame) -> pd.DataFrame:
    """Number of rows by kind of figure and outcome."""
    counted = pd.crosstab(found["kind"], found["outcome"])
    return counted.reindex(columns=[outcome for outcome in OUTCOMES if outcome in counted])


def speeds(found: pd.DataFrame) -> pd.DataFrame:
    """Quartiles, over all programs, of each wall-clock figure now over what it was then."""
    timed = found[found["kind"].isin(WALL_CLOCK)].dropna(subset=["published", "again"])
    ratio = timed["again"].astype(float) / timed["published"].astype(float)
    return ratio.groupby(timed["metric"]).describe()[["count", "25%", "50%", "75%"]].round(3)


def _data(published: Sweep, again: Sweep) -> pd.DataFrame:
    then, now = published.data_digests, again.data_digests
    rows = []
    for name in sorted(set(then) | set(now)):
        missing = name not in then or name not in now
        same = then.get(name) == now.get(name)
        outcome = _IDENTICAL if same else _INCOMPARABLE if missing else _DIFFERENT
        rows.append([name, "", 0, "", "data", "data", then.get(name), now.get(name), outcome, ""])
    return pd.DataFrame(rows, columns=[*KEY, "kind", "published", "again", "outcome", "reason"])


class _Comparability:
    """What may be expected to be the same, given where both were measured."""

    def __init__(self, published: Sweep, again: Sweep) -> None:
        then, now = published.environment, again.environment
        self._versions = key(published) == key(again)
        self._cores = self._versions and then["cores"] == now["cores"]
        self._machine = self._cores and then["cpu"] == now["cpu"]

    def judge(self, row) -> tuple[str, str]:
        """The outcome of a figure, and why, where that is not plain."""
        if "ok" not in (row.status_then, row.status_now):
            return _INCOMPARABLE, "measured neither then nor now"
        if row.status_then != "ok" or row.status_now != "ok":
            lost = row.status_then == "ok" and row.status_now == "failed"
            return (
                _DIFFERENT if lost else _INCOMPARABLE
            ), f"then {row.status_then}, now {row.status_now}"
        if row.value_then == row.value_now:
            return _IDENTICAL, ""
        metric = METRICS[row.metric]
        if metric.kind in WALL_CLOCK:
            return self._time(row)
        if metric.kind == "accuracy":
            tolerance = TOLERANCES[row.metric]
            return (
                _TOLERATED if row.value_now <= tolerance else _DIFFERENT
            ), f"tolerance {tolerance:g}"
        if row.metric == "value":
            tolerance = TOLERANCES["value_error"] * max(abs(row.value_then), 1.0)
            close = abs(row.value_now - row.value_then) <= tolerance
            return (_TOLERATED if close else _DIFFERENT), f"tolerance {tolerance:g}"
        expected = self._machine if row.metric in _OF_THE_CORES else self._versions
        if expected:
            return _DIFFERENT, ""
        return _INCOMPARABLE, "another processor, number of cores or version"

    def _time(self, row) -> tuple[str, str]:
        """By the test of the reports, where a run's own visits say what is usual."""
        if not self._machine:
            return _INCOMPARABLE, "another machine or version"
        then, now = row.samples_then, row.samples_now
        if min(len(then), len(now)) == 0:
            return _INCOMPARABLE, "one sample"
        judged = judge_samples(then, now, max(then, now, key=usual_change))
        if np.isnan(judged.p):
            return _INCOMPARABLE, "too few samples"
        reason = f"ratio {judged.ratio:.3f}, p {judged.p:.2g}, usual {judged.threshold:.0%}"
        same = judged.verdict in ("unchanged", "noise")
        return (_INDISTINGUISHABLE if same else _DIFFERENT), reason
