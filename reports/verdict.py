"""What changed between two sets of measurements: pure functions over tidy frames."""

import numpy as np
import pandas as pd

from benchmarks.names import ACCURACY_LIMITS
from benchmarks.records import METRICS

__all__ = ["GATING", "judge_counters", "sentence"]

# A row is worse by its share of the value before, and by more than the smallest step.
_THRESHOLD = 0.05
_SMALLEST_STEP = {"bytes": 4096, "instructions": 5}
# Rounding may fall differently on another processor; a lost digit and a half does not.
_ACCURACY_FACTOR = 4
_ACCURACY_FLOOR = 0.1

GATING = ("failing", "regressed")
_KEY = ["benchmark", "cells", "n_cells", "device", "metric"]


def judge_counters(before: pd.DataFrame, after: pd.DataFrame) -> pd.DataFrame:
    """One row per benchmark and metric that stands in either frame, with its verdict.

    Args:
        before, after: columns ``benchmark, cells, n_cells, device, metric, value, status``;
            the metrics are deterministic counters and accuracy figures.

    Returns:
        ``_KEY``, ``unit``, ``better``, ``before``, ``after``, ``ratio``, ``threshold`` and
        ``verdict``: "failing" (measured before, failed now), "missing" and "added" (stands
        in one frame only), "regressed", "improved", "unchanged", or "changed" for a
        fingerprint, which has no direction.
    """
    columns = [*_KEY, "value", "status"]
    merged = before[columns].merge(
        after[columns], on=_KEY, how="outer", suffixes=("_before", "_after")
    )
    rows = [_judge(row) for row in merged.itertuples(index=False)]
    judged = ["before", "after", "ratio", "threshold", "verdict"]
    result = pd.concat([merged[_KEY], pd.DataFrame(rows, columns=judged)], axis=1)
    result.insert(len(_KEY), "unit", [METRICS[metric].unit for metric in result["metric"]])
    result.insert(len(_KEY) + 1, "better", [METRICS[metric].better for metric in result["metric"]])
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


def sentence(verdicts: pd.DataFrame) -> str:
    """The verdict in one sentence, the worst row named."""
    counts = verdicts["verdict"].value_counts()
    parts = [f"{counts.get(name, 0)} {name}" for name in ("regressed", "improved", "unchanged")]
    parts += [f"{counts[name]} {name}" for name in counts.index if name not in _THREE]
    text = ", ".join(parts)
    bad = verdicts[verdicts["verdict"].isin(GATING)]
    if bad.empty:
        return f"{text}."
    worst = bad.loc[bad["ratio"].fillna(np.inf).idxmax()]
    return (
        f"{text}; worst: {worst.metric} of {worst.benchmark} at {worst.n_cells} cells, "
        f"{worst.before} before, {worst.after if pd.notna(worst.after) else 'failed'} now."
    )


_THREE = ("regressed", "improved", "unchanged")
