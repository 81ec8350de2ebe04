"""What changed between two sets of measurements: pure functions over tidy frames."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd
from scipy import stats

from benchmarks.names import ACCURACY_LIMITS
from benchmarks.records import METRICS

__all__ = [
    "GATING",
    "KEY",
    "TimeVerdict",
    "judge_counters",
    "judge_samples",
    "sentence",
    "usual_change",
]

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
_ALWAYS_COUNTED = ("regressed", "improved", "unchanged")
KEY = ["benchmark", "cells", "n_cells", "device", "metric"]


def judge_counters(before: pd.DataFrame, after: pd.DataFrame) -> pd.DataFrame:
    """One row per benchmark and metric that stands in either frame, with its verdict.

    Args:
        before, after: columns ``benchmark, cells, n_cells, device, metric, value, status``;
            the metrics are deterministic counters and accuracy figures.

    Returns:
        ``KEY``, ``unit``, ``better``, ``before``, ``after``, ``ratio``, ``threshold`` and
        ``verdict``: "failing" (measured before, failed now), "missing" and "added" (stands
        in one frame only), "regressed", "improved", "unchanged", or "changed" for a
        fingerprint, which has no direction.
    """
    columns = [*KEY, "value", "status"]
    merged = before[columns].merge(
        after[columns], on=KEY, how="outer", suffixes=("_before", "_after")
    )
    rows = [_judge(row) for row in merged.itertuples(index=False)]
    judged = ["before", "after", "ratio", "threshold", "verdict"]
    result = pd.concat([merged[KEY], pd.DataFrame(rows, columns=judged)], axis=1)
    result.insert(len(KEY), "unit", [METRICS[metric].unit for metric in result["metric"]])
    result.insert(len(KEY) + 1, "better", [METRICS[metric].better for metric in result["metric"]])
    return result


def _judge(row) -> tuple:
    before, after = row.value_before, row.value_after
    if row.status_after == "failed":
        return before, after, np.nan, np.nan, "failing"
    if pd.isna(row.status_before):
        return before, after, np.nan, np.nan, "added"
    if row.status_after != "ok":
        return before, after, np.nan, np.nan, "missing"
    metric = METRICS[row.metric]
    if metric.better == "equal":
        return before, after, np.nan, np.nan, "unchanged" if before == after else "changed"
    before, after = float(before), float(after)
    ratio = after / before if before else np.inf if after else 1.0
    threshold, verdict = (_accuracy if metric.kind == "accuracy" else _counter)(
        row.metric, before, after
    )
    return before, after, ratio, threshold, verdict


def _counter(metric: str, before: float, after: float) -> tuple[float, str]:
    """Worse, or better, by more than the threshold and the smallest step."""
    threshold = max(_THRESHOLD * before, _SMALLEST_STEP.get(METRICS[metric].unit, 0))
    if after - before > threshold:
        return threshold, "regressed"
    return threshold, "improved" if before - after > threshold else "unchanged"


def _accuracy(metric: str, before: float, after: float) -> tuple[float, str]:
    """Beyond the limit, or several times the error before and no longer far below the limit."""
    limit = ACCURACY_LIMITS[metric]
    threshold = min(limit, max(_ACCURACY_FACTOR * before, _ACCURACY_FLOOR * limit))
    if not after <= threshold:
        return threshold, "regressed"
    return threshold, "improved" if before > threshold else "unchanged"


class TimeVerdict(NamedTuple):
    """Two sets of samples of one benchmark, compared."""

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


def judge_samples(
    before: Sequence[float],
    after: Sequence[float],
    history: Sequence[float] = (),
    *,
    better: str = "lower",
    same_program: bool = False,
) -> TimeVerdict:
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
    return TimeVerdict(
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


def sentence(verdicts: pd.DataFrame) -> str:
    """The verdict in one sentence, the worst row named."""
    counts = verdicts["verdict"].value_counts()
    parts = [f"{counts.get(name, 0)} {name}" for name in _ALWAYS_COUNTED]
    parts += [f"{counts[name]} {name}" for name in counts.index if name not in _ALWAYS_COUNTED]
    text = ", ".join(parts)
    bad = verdicts[verdicts["verdict"].isin(GATING)]
    if bad.empty:
        return f"{text}."
    worst = bad.loc[bad["ratio"].fillna(np.inf).idxmax()]
    return (
        f"{text}; worst: {worst.metric} of {worst.benchmark} at {worst.n_cells} cells, "
        f"{worst.before} before, {worst.after if pd.notna(worst.after) else 'failed'} now."
    )
