"""Judge every deterministic measurement of two sides: pure functions over tables."""

from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from benchmarks.schema.metrics import METRICS, Direction, Kind, Metric
from benchmarks.schema.records import Status
from benchmarks.schema.tolerances import TOLERANCES
from reports.rules.verdicts import DETERMINISTIC, Verdict
from reports.sources.measurements import KEY

__all__ = [
    "SMALLEST_CHANGE",
    "deterministic",
    "judge_counters",
    "mark_unmeasured",
    "tolerated",
]

# No smaller share of the value before counts as a change.
SMALLEST_CHANGE = 0.05
# The columns that name a program on some cells and a device; with the metric they are the KEY.
_PROGRAM = ["benchmark", "source", "n_cells", "device"]
# A smaller difference does not count, even if it is a large share of the value before.
_SMALLEST_DIFFERENCE = {"bytes": 4096, "instructions": 5}
# Another processor rounds differently. An error is worse above this multiple of the error
# before, unless it is below this share of its tolerance.
_ACCURACY_FACTOR = 4
_ACCURACY_FLOOR = 0.1


class _Judgement(NamedTuple):
    """One measurement before and after, what counts as a change of it, and the verdict."""

    before: Any
    after: Any
    verdict: Verdict
    ratio: float = np.nan
    threshold: float = np.nan


def judge_counters(before: pd.DataFrame, after: pd.DataFrame) -> pd.DataFrame:
    """The verdict on every deterministic measurement of two sides.

    Args:
        before, after: the measurements of either side.

    Returns:
        ``KEY``, ``kind``, ``unit``, ``better``, ``before``, ``after``, ``verdict``, ``ratio``,
        ``threshold``, and ``detail``, which says why nothing was measured after.
    """
    sides = [side.reindex(columns=[*KEY, "value", "status", "detail"]) for side in (before, after)]
    merged = sides[0].merge(sides[1], on=KEY, how="outer", suffixes=("_before", "_after"))
    meaning = pd.DataFrame([METRICS[name] for name in merged["metric"]], columns=Metric._fields)
    judged = [_judge(row) for row in merged.itertuples(index=False)]
    found = pd.DataFrame(judged, columns=_Judgement._fields)
    return pd.concat([merged[KEY], meaning[["kind", "unit", "better"]], found], axis=1).assign(
        detail=merged["detail_after"].fillna("")
    )


def deterministic(measurements: pd.DataFrame) -> pd.DataFrame:
    """The rows that are the same every time, and those of what was not measured."""
    kinds = measurements["metric"].map(lambda metric: METRICS[metric].kind)
    return measurements[kinds.isin(DETERMINISTIC) | (measurements["status"] != Status.OK)]


def mark_unmeasured(before: pd.DataFrame, after: pd.DataFrame) -> pd.DataFrame:
    """The rows after, with a row for every measurement before that could not be taken again.

    A sweep has a single row for a program that failed or was skipped. It is repeated here for
    each measurement that the program had before.
    """
    whole = after["status"].isin([Status.FAILED, Status.SKIPPED])
    missing = after[whole].merge(before[KEY], on=_PROGRAM, how="left", suffixes=("", "_before"))
    missing["metric"] = missing["metric_before"].fillna(missing["metric"])
    missing = missing.drop_duplicates(KEY)
    found = after[~whole]
    known = found.set_index(KEY).index
    return pd.concat([found, missing[~missing.set_index(KEY).index.isin(known)]])


def tolerated(metric: str, error: float) -> bool:
    """Whether an error is a number from 0 to the metric's tolerance."""
    return bool(0 <= error <= TOLERANCES[metric])


def _judge(row: Any) -> _Judgement:
    """The judgement on one row of both sides."""
    before, after = row.value_before, row.value_after
    if absence := _absence(row):
        return _Judgement(before, after, absence)
    metric = METRICS[row.metric]
    if metric.better == Direction.EQUAL:
        return _Judgement(before, after, Verdict.UNCHANGED if before == after else Verdict.CHANGED)
    before, after = float(before), float(after)
    rule = _accuracy if metric.kind == Kind.ACCURACY else _counter
    threshold, verdict = rule(row.metric, before, after)
    return _Judgement(before, after, verdict, _ratio(before, after), threshold)


def _absence(row: Any) -> Verdict | None:
    """The verdict where a side was not measured; None where both were.

    A program that failed before was there, so it can vanish, too.
    """
    existed = row.status_before in (Status.OK, Status.FAILED)
    if row.status_after == Status.FAILED:
        failed_before = row.status_before == Status.FAILED
        return Verdict.STILL_FAILING if failed_before else Verdict.FAILING
    if row.status_after == Status.OK:
        return None if row.status_before == Status.OK else Verdict.ADDED
    if not existed:
        return Verdict.ABSENT
    return Verdict.SKIPPED if row.status_after == Status.SKIPPED else Verdict.REMOVED


def _ratio(before: float, after: float) -> float:
    """After over before; infinite if only the value before is 0, and 1 if both are 0."""
    if before:
        return after / before
    return np.inf if after else 1.0


def _counter(metric: str, before: float, after: float) -> tuple[float, Verdict]:
    """The larger of the smallest change and the smallest difference, and the verdict beyond it."""
    threshold = max(SMALLEST_CHANGE * before, _SMALLEST_DIFFERENCE.get(METRICS[metric].unit, 0))
    if after - before > threshold:
        return threshold, Verdict.REGRESSED
    return threshold, Verdict.IMPROVED if before - after > threshold else Verdict.UNCHANGED


def _accuracy(metric: str, before: float, after: float) -> tuple[float, Verdict]:
    """The threshold of the error after, and the verdict.

    The threshold is a multiple of the error before, at least a share of the tolerance and
    at most the tolerance itself.
    """
    tolerance = TOLERANCES[metric]
    threshold = min(tolerance, max(_ACCURACY_FACTOR * before, _ACCURACY_FLOOR * tolerance))
    if not 0 <= after <= threshold:
        return threshold, Verdict.REGRESSED
    return threshold, Verdict.IMPROVED if before > threshold else Verdict.UNCHANGED
