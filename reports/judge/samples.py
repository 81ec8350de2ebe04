"""Whether wall-clock samples before and after differ by more than chance and what is usual."""

from collections.abc import Sequence

import numpy as np
from scipy import stats

from benchmarks.schema.metrics import Direction
from reports.judge.verdict import Judgement, Verdict

__all__ = ["SMALLEST_CHANGE", "judge_samples", "ratio_of", "usual_change"]

# No smaller share of the value before counts as a change.
SMALLEST_CHANGE = 0.05
_SIGNIFICANCE = 0.002
_FEWEST_SAMPLES = 6
_HISTORY = 30


def judge_samples(
    before: Sequence[float],
    after: Sequence[float],
    history: Sequence[float] = (),
    *,
    better: Direction = Direction.LOWER,
    same_program: bool = False,
) -> Judgement:
    """Mann-Whitney's test on samples that were taken in turn, and the size of the effect.

    Args:
        before, after: samples of a wall-clock figure.
        history: earlier medians of the benchmark, oldest first.
        better: whether a lower or a higher figure is better.
        same_program: whether the compiled programs are identical, so that any difference
            is the machine's.

    Returns:
        Regressed or improved where p < 0.002 and the medians differ by more than the
        threshold; noise where only the effect is that large, or the programs are
        identical; unchanged for a smaller effect; undecided for fewer than 6 samples a side.
    """
    threshold = max(SMALLEST_CHANGE, usual_change(history))
    median_before, median_after = float(np.median(before)), float(np.median(after))
    ratio = ratio_of(median_before, median_after)
    enough = min(len(before), len(after)) >= _FEWEST_SAMPLES
    p = float(stats.mannwhitneyu(before, after).pvalue) if enough else np.nan
    if not enough:
        verdict = Verdict.UNDECIDED
    elif abs(ratio - 1) <= threshold:
        verdict = Verdict.UNCHANGED
    elif p >= _SIGNIFICANCE or same_program:
        verdict = Verdict.NOISE
    elif (ratio > 1) == (better == Direction.LOWER):
        verdict = Verdict.REGRESSED
    else:
        verdict = Verdict.IMPROVED
    return Judgement(
        before=median_before,
        before_iqr=float(stats.iqr(before)),
        n_before=len(before),
        after=median_after,
        after_iqr=float(stats.iqr(after)),
        n_after=len(after),
        ratio=ratio,
        p=p,
        threshold=threshold,
        verdict=verdict,
    )


def ratio_of(before: float, after: float) -> float:
    """After over before; infinite if only the value before is 0, and 1 if both are 0."""
    if before:
        return after / before
    return np.inf if after else 1.0


def usual_change(history: Sequence[float]) -> float:
    """The usual relative change from one result to the next: Q3 + 3 IQR of the last changes.

    It is 0 for fewer than three results.
    """
    values = np.asarray(history[-_HISTORY:], float)
    if len(values) < 3:
        return 0.0
    changes = np.abs(np.diff(values) / values[:-1])
    low, high = np.quantile(changes, [0.25, 0.75])
    return float(high + 3 * (high - low))
