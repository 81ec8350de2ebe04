"""Judge every figure of two sets of measurements: pure functions over tidy frames."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from benchmarks.schema.metrics import METRICS, Direction, Kind, Metric
from benchmarks.schema.records import Status
from benchmarks.schema.tolerances import TOLERANCES
from reports.judge.samples import SIGNIFICANCE, SMALLEST_CHANGE, judge_samples, ratio_of
from reports.judge.verdict import WALL_CLOCK, Judgement, Verdict
from reports.sources.frame import KEY

__all__ = ["is_unstable", "judge", "judge_counters", "mark_unmeasured", "tolerated"]

# The columns that name a benchmark at one place; with the metric they are the KEY of a figure.
_BENCHMARK = ["benchmark", "source", "n_cells", "device"]

# A smaller step does not count, even if it is a large share of the value before.
_SMALLEST_STEP = {"bytes": 4096, "instructions": 5}
# Another processor rounds differently. An error is worse above this multiple of the error
# before, unless it is below this share of its tolerance.
_ACCURACY_FACTOR = 4
_ACCURACY_FLOOR = 0.1
# A time scatters where its quartiles lie further apart than this share of the median.
_LARGE_SPREAD = 0.1
# Shorter times are mostly those of the call and the clock.
_SHORTEST_STEADY_SECONDS = 1e-3


def judge(
    before: pd.DataFrame,
    after: pd.DataFrame,
    history: pd.DataFrame,
    *,
    significance: float = SIGNIFICANCE,
) -> pd.DataFrame:
    """The verdict on every figure of two commits, measured in one environment.

    Args:
        before, after: tidy rows of the commits.
        history: tidy rows of earlier commits, oldest first.
        significance: the p below which a difference between times is no chance.

    Returns:
        ``KEY``, ``kind``, ``unit``, ``better``, the fields of ``Judgement``, ``unstable``, and
        ``detail``, which says why nothing was measured after.
    """
    medians = {figure: rows["value"].tolist() for figure, rows in history.groupby(KEY)}
    merged = _merged(before, after)
    same = _same_programs(merged)
    judgements = [
        _judge(
            row,
            medians.get(_named(row, KEY), ()),
            same_program=_named(row, _BENCHMARK) in same,
            significance=significance,
        )
        for row in merged.itertuples(index=False)
    ]
    return _table(merged, judgements)


def judge_counters(before: pd.DataFrame, after: pd.DataFrame) -> pd.DataFrame:
    """The verdict on figures that are deterministic; the columns are those of ``judge``."""
    merged = _merged(before, after)
    return _table(merged, [_judge(row) for row in merged.itertuples(index=False)])


def mark_unmeasured(before: pd.DataFrame, after: pd.DataFrame) -> pd.DataFrame:
    """The rows after, where every figure that could not be measured again has its own row.

    A sweep has a single row for a benchmark that failed or was skipped. It is repeated here
    for each figure that the benchmark had before.
    """
    whole = after["status"].isin([Status.FAILED, Status.SKIPPED])
    missing = after[whole].merge(before[KEY], on=_BENCHMARK, how="left", suffixes=("", "_before"))
    missing["metric"] = missing["metric_before"].fillna(missing["metric"])
    missing = missing.drop_duplicates(KEY)
    found = after[~whole]
    known = found.set_index(KEY).index
    return pd.concat([found, missing[~missing.set_index(KEY).index.isin(known)]])


def tolerated(metric: str, error: float) -> bool:
    """Whether an error is one (not negative, not NaN) and within the metric's tolerance."""
    return bool(0 <= error <= TOLERANCES[metric])


def _named(row: Any, names: Sequence[str]) -> tuple[Any, ...]:
    return tuple(getattr(row, name) for name in names)


def _merged(before: pd.DataFrame, after: pd.DataFrame) -> pd.DataFrame:
    columns = [*KEY, "value", "status", "samples", "detail", "started", "round_seconds"]
    frames = [frame.reindex(columns=columns) for frame in (before, after)]
    return frames[0].merge(frames[1], on=KEY, how="outer", suffixes=("_before", "_after"))


def _table(merged: pd.DataFrame, judgements: list[Judgement]) -> pd.DataFrame:
    metrics = [METRICS[name] for name in merged["metric"]]
    meaning = pd.DataFrame(metrics, columns=list(Metric._fields))[["kind", "unit", "better"]]
    judged = pd.DataFrame(judgements, columns=list(Judgement._fields))
    return pd.concat([merged[KEY], meaning, judged], axis=1).assign(
        unstable=[is_unstable(*pair) for pair in zip(metrics, judgements, strict=True)],
        detail=merged["detail_after"].fillna(""),
    )


def is_unstable(metric: Metric, found: Any) -> bool:
    """Whether a time scatters, or is too short to be measured well."""
    if metric.unit != "s" or pd.isna(found.after_iqr):
        return False
    scatters = (
        found.before_iqr > _LARGE_SPREAD * found.before
        or found.after_iqr > _LARGE_SPREAD * found.after
    )
    return bool(scatters or min(found.before, found.after) < _SHORTEST_STEADY_SECONDS)


def _same_programs(merged: pd.DataFrame) -> set[tuple[Any, ...]]:
    """Benchmarks whose compiled program is the same before and after."""
    rows = merged[merged["metric"] == "hlo_fingerprint"]
    rows = rows[rows["value_before"] == rows["value_after"]]
    return set(rows[_BENCHMARK].itertuples(index=False, name=None))


def _judge(
    row: Any,
    history: Sequence[float] = (),
    *,
    same_program: bool = False,
    significance: float = SIGNIFICANCE,
) -> Judgement:
    """The judgement on one row of both sides."""
    if absence := _absence(row):
        return _certain(row.value_before, row.value_after, verdict=absence)
    metric = METRICS[row.metric]
    before, after = row.value_before, row.value_after
    if metric.better == Direction.EQUAL:
        same = Verdict.UNCHANGED if before == after else Verdict.CHANGED
        return _certain(before, after, verdict=same)
    before, after = float(before), float(after)
    if metric.kind in WALL_CLOCK:
        samples = (row.samples_before or (before,), row.samples_after or (after,))
        if min(map(len, samples)) > 1 and _from_different_runs(row):
            ratio = ratio_of(before, after)
            return _certain(before, after, ratio, verdict=Verdict.INCOMPARABLE)
        return judge_samples(
            *samples,
            history,
            better=metric.better,
            same_program=same_program,
            significance=significance,
        )
    rule = _accuracy if metric.kind == Kind.ACCURACY else _counter
    threshold, verdict = rule(row.metric, before, after)
    return _certain(before, after, ratio_of(before, after), threshold, verdict=verdict)


def _from_different_runs(row: Any) -> bool:
    """Whether asv cannot have measured both sides in turn, in one run.

    Of all rounds, asv stores only when the last started. In one run, the last rounds of the two
    commits follow each other, so that no figure of the later starts after both rounds could
    have ended. Commits that asv measured one right after the other look the same.
    """
    apart = abs(row.started_after - row.started_before)
    return bool(apart > row.round_seconds_before + row.round_seconds_after)


def _absence(row: Any) -> Verdict | None:
    """The verdict where a side was not measured; None where both were.

    A benchmark that failed before was there, so it can vanish, too.
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


def _certain(
    before: Any,
    after: Any,
    ratio: float = np.nan,
    threshold: float = np.nan,
    *,
    verdict: Verdict,
) -> Judgement:
    """A judgement without samples."""
    return Judgement(before, np.nan, 1, after, np.nan, 1, ratio, np.nan, threshold, verdict)


def _counter(metric: str, before: float, after: float) -> tuple[float, Verdict]:
    """The larger of the smallest change and the smallest step, and the verdict beyond it."""
    threshold = max(SMALLEST_CHANGE * before, _SMALLEST_STEP.get(METRICS[metric].unit, 0))
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
