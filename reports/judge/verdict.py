"""What changed between two sets of measurements: pure functions over tidy frames."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd
from scipy import stats

from benchmarks.schema.metrics import METRICS
from benchmarks.schema.tolerances import TOLERANCES
from reports.sources.frame import KEY

__all__ = [
    "DETERMINISTIC",
    "GATING",
    "JUDGED",
    "Verdict",
    "gates",
    "judge",
    "judge_counters",
    "judge_samples",
    "sentence",
    "spread",
    "usual_change",
]

# The kinds of metrics that are the same every time; the others need statistics.
DETERMINISTIC = ("memory", "counter", "accuracy")

# A row is worse by its share of the value before, and by more than the smallest step.
_THRESHOLD = 0.05
_SMALLEST_STEP = {"bytes": 4096, "instructions": 5}
# Rounding may fall differently on another processor; a lost digit and a half does not.
_ACCURACY_FACTOR = 4
_ACCURACY_FLOOR = 0.1

# Of time: a change that is both unlikely to be chance and larger than what is usual.
_SIGNIFICANCE = 0.002
_FEWEST_SAMPLES = 6
_HISTORY = 30

GATING = ("failing", "regressed")
JUDGED = ("regressed", "improved", "unchanged")


class Verdict(NamedTuple):
    """One figure before and after, its spread and number of samples, and what to think of it."""

    before: float
    before_iqr: float
    n_before: int
    after: float
    after_iqr: float
    n_after: int
    ratio: float
    p: float
    threshold: float
    verdict: str


def judge(before: pd.DataFrame, after: pd.DataFrame, history: pd.DataFrame) -> pd.DataFrame:
    """The verdict on every figure of two commits, measured in one environment.

    Args:
        before, after: tidy rows of the commits.
        history: tidy rows of earlier commits, oldest first.

    Returns:
        ``KEY``, ``kind``, ``unit``, ``better``, value, interquartile range and number of
        samples before and after, ``ratio``, ``p``, ``threshold``, ``verdict``.
    """
    medians = {key: rows["value"].tolist() for key, rows in history.groupby(KEY)}
    merged = _merged(before, after)
    same = _same_programs(merged)
    rows = [
        _judge(row, medians.get(tuple(row[:5]), ()), same_program=tuple(row[:4]) in same)
        for row in merged.itertuples(index=False)
    ]
    return _described(merged, rows)


def judge_counters(before: pd.DataFrame, after: pd.DataFrame) -> pd.DataFrame:
    """The verdict on figures that are deterministic; the columns are those of ``judge``."""
    merged = _merged(before, after)
    return _described(merged, [_judge(row) for row in merged.itertuples(index=False)])


def spread(before: pd.DataFrame, after: pd.DataFrame) -> pd.DataFrame:
    """What a sweep measured after; what it did not is marked at every figure there was before.

    A sweep has one row for a benchmark that failed or was skipped.
    """
    whole = after["status"].isin(["failed", "skipped"])
    missing = after[whole].merge(before[KEY], on=KEY[:-1], how="left", suffixes=("", "_before"))
    missing["metric"] = missing["metric_before"].fillna(missing["metric"])
    missing = missing.drop_duplicates(KEY)
    found = after[~whole]
    known = found.set_index(KEY).index
    return pd.concat([found, missing[~missing.set_index(KEY).index.isin(known)]])


def _merged(before: pd.DataFrame, after: pd.DataFrame) -> pd.DataFrame:
    frames = []
    for frame in (before, after):
        samples = frame["samples"] if "samples" in frame else [()] * len(frame)
        frames.append(frame[[*KEY, "value", "status"]].assign(samples=samples))
    return frames[0].merge(frames[1], on=KEY, how="outer", suffixes=("_before", "_after"))


def _described(merged: pd.DataFrame, rows: list[Verdict]) -> pd.DataFrame:
    result = pd.concat([merged[KEY], pd.DataFrame(rows, columns=list(Verdict._fields))], axis=1)
    for at, field in enumerate(("kind", "unit", "better")):
        values = [getattr(METRICS[metric], field) for metric in result["metric"]]
        result.insert(len(KEY) + at, field, values)
    return result


def _same_programs(merged: pd.DataFrame) -> set[tuple]:
    """Benchmarks whose compiled program is identical in both commits."""
    rows = merged[merged["metric"] == "hlo_fingerprint"]
    rows = rows[rows["value_before"] == rows["value_after"]]
    return set(rows[KEY[:-1]].itertuples(index=False, name=None))


def _judge(row, history: Sequence[float] = (), *, same_program: bool = False) -> Verdict:
    """What was measured before and after, as one row of the result."""
    if absent := _absence(row):
        return _row(row.value_before, row.value_after, verdict=absent)
    metric = METRICS[row.metric]
    before, after = row.value_before, row.value_after
    if metric.better == "equal":
        return _row(before, after, verdict="unchanged" if before == after else "changed")
    before, after = float(before), float(after)
    if metric.kind not in DETERMINISTIC:
        samples = (row.samples_before or (before,), row.samples_after or (after,))
        return judge_samples(*samples, history, better=metric.better, same_program=same_program)
    ratio = after / before if before else np.inf if after else 1.0
    rule = _accuracy if metric.kind == "accuracy" else _counter
    threshold, verdict = rule(row.metric, before, after)
    return _row(before, after, ratio, threshold, verdict)


def _absence(row) -> str | None:
    """The verdict where one of the sides was not measured."""
    was_there, is_there = row.status_before == "ok", row.status_after == "ok"
    if row.status_after == "failed":
        return "failing" if was_there or pd.isna(row.status_before) else "still failing"
    if is_there:
        return None if was_there else "added"
    if row.status_after == "skipped":
        return "skipped" if was_there else "skipped on both sides"
    return "removed" if was_there else "skipped on both sides"


def _row(before, after, ratio=np.nan, threshold=np.nan, verdict="") -> Verdict:
    return Verdict(before, np.nan, 1, after, np.nan, 1, ratio, np.nan, threshold, verdict)


def _counter(metric: str, before: float, after: float) -> tuple[float, str]:
    """Worse, or better, by more than the threshold and the smallest step."""
    threshold = max(_THRESHOLD * before, _SMALLEST_STEP.get(METRICS[metric].unit, 0))
    if after - before > threshold:
        return threshold, "regressed"
    return threshold, "improved" if before - after > threshold else "unchanged"


def _accuracy(metric: str, before: float, after: float) -> tuple[float, str]:
    """Beyond the tolerance, or several times the error before and near the tolerance."""
    tolerance = TOLERANCES[metric]
    threshold = min(tolerance, max(_ACCURACY_FACTOR * before, _ACCURACY_FLOOR * tolerance))
    if not after <= threshold:
        return threshold, "regressed"
    return threshold, "improved" if before > threshold else "unchanged"


def judge_samples(
    before: Sequence[float],
    after: Sequence[float],
    history: Sequence[float] = (),
    *,
    better: str = "lower",
    same_program: bool = False,
) -> Verdict:
    """Mann-Whitney's test on samples that were taken in turn, and the size of the effect.

    Args:
        before, after: samples of a wall-clock figure.
        history: earlier medians of the benchmark, oldest first.
        better: "lower" or "higher".
        same_program: whether the compiled programs are identical, so that any difference
            is the machine's.

    Returns:
        "regressed" or "improved" where p < 0.002 and the medians differ by more than the
        threshold; "noise" where only the effect is that large, or the programs are
        identical; "unchanged"; "insufficient history" for fewer than 6 samples a side.
    """
    threshold = max(_THRESHOLD, usual_change(history))
    medians = float(np.median(before)), float(np.median(after))
    ratio = medians[1] / medians[0]
    enough = min(len(before), len(after)) >= _FEWEST_SAMPLES
    p = float(stats.mannwhitneyu(before, after).pvalue) if enough else np.nan
    large = abs(ratio - 1) > threshold
    if not enough:
        verdict = "insufficient history"
    elif not large:
        verdict = "unchanged"
    elif p >= _SIGNIFICANCE or same_program:
        verdict = "noise"
    else:
        verdict = "regressed" if (ratio > 1) == (better == "lower") else "improved"
    spreads = float(stats.iqr(before)), float(stats.iqr(after))
    return Verdict(
        medians[0], spreads[0], len(before), medians[1], spreads[1], len(after),
        ratio, p, threshold, verdict,
    )  # fmt: skip


def usual_change(history: Sequence[float]) -> float:
    """The fence of the last changes from one result to the next: Q3 + 3 IQR; 0 without any."""
    values = np.asarray(history[-_HISTORY:], float)
    if len(values) < 3:
        return 0.0
    changes = np.abs(np.diff(values) / values[:-1])
    low, high = np.quantile(changes, [0.25, 0.75])
    return float(high + 3 * (high - low))


def gates(verdicts: pd.DataFrame, *, on_time: bool = False) -> pd.Series:
    """Which rows fail a change: what got worse for certain and, if asked for, time."""
    certain = verdicts["kind"].isin(DETERMINISTIC) | (verdicts["verdict"] == "failing")
    return verdicts["verdict"].isin(GATING) & (certain | on_time)


def sentence(verdicts: pd.DataFrame) -> str:
    """The verdict in one sentence, the worst row named."""
    counts = verdicts["verdict"].value_counts()
    parts = [f"{counts.get(name, 0)} {name}" for name in JUDGED]
    parts += [f"{counts[name]} {name}" for name in counts.index if name not in JUDGED]
    text = ", ".join(parts)
    bad = verdicts[verdicts["verdict"].isin(GATING)]
    if bad.empty:
        return f"{text}."
    certain = bad[gates(bad)]
    worst = (bad if certain.empty else certain).sort_values("ratio", ascending=False).iloc[0]
    failing = bad[bad["verdict"] == "failing"]
    if not failing.empty:
        worst = failing.iloc[0]
    return (
        f"{text}; worst: {worst.metric} of {worst.benchmark} at {worst.n_cells} cells, "
        f"{worst.before} before, {worst.after if pd.notna(worst.after) else 'failed'} now."
    )
