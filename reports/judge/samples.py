"""Whether wall-clock samples before and after differ by more than chance and what is usual.

Everything is judged on logarithms, so that seconds and their reciprocals, such as cells per
second, get the same verdict.
"""

import bisect
import itertools
import math
from collections.abc import Sequence

import numpy as np
from scipy import stats

from benchmarks.schema.metrics import Direction
from reports.judge.verdict import Judgement, Verdict

__all__ = [
    "SIGNIFICANCE",
    "SMALLEST_CHANGE",
    "fewest_samples",
    "judge_samples",
    "ratio_of",
    "significance_of",
    "usual_change",
]

# No smaller share of the value before counts as a change.
SMALLEST_CHANGE = 0.05
# The largest p at which a single figure alarms, and the most false alarms to expect of a report.
SIGNIFICANCE = 0.002
_FALSE_ALARMS = 0.05
_HISTORY = 30


def significance_of(n_figures: int) -> float:
    """The p below which a figure alarms where so many are judged at once."""
    return min(SIGNIFICANCE, _FALSE_ALARMS / max(n_figures, 1))


def fewest_samples(significance: float) -> int:
    """The fewest samples a side that can alarm: those whose smallest p is small enough."""
    return next(n for n in itertools.count(1) if 2 / math.comb(2 * n, n) < significance)


def judge_samples(
    before: Sequence[float],
    after: Sequence[float],
    history: Sequence[float] = (),
    *,
    better: Direction = Direction.LOWER,
    same_program: bool = False,
    significance: float = SIGNIFICANCE,
) -> Judgement:
    """Mann-Whitney's exact test on samples that were taken in turn, and the size of the effect.

    Args:
        before, after: samples of a wall-clock figure, which must be independent: one per process.
        history: earlier medians of the benchmark, oldest first.
        better: whether a lower or a higher figure is better.
        same_program: whether the compiled programs are identical, so that any difference
            is the machine's.
        significance: the p below which a difference is no chance.

    Returns:
        Regressed or improved where p is below the significance and the medians differ by more
        than the threshold; noise where only the effect is that large, or the programs are
        identical; unchanged for a smaller effect; undecided for fewer samples a side than can
        alarm. Its ``undetected`` is the largest slowdown that the samples do not exclude.
    """
    threshold = max(SMALLEST_CHANGE, usual_change(history))
    logs_before, logs_after = _logs(before), _logs(after)
    ratio = ratio_of(*(float(np.exp(np.median(logs))) for logs in (logs_before, logs_after)))
    enough = min(len(before), len(after)) >= fewest_samples(significance)
    p = _mann_whitney(logs_before, logs_after) if enough else np.nan
    if not enough:
        verdict = Verdict.UNDECIDED
    elif _size(ratio) <= math.log1p(threshold):
        verdict = Verdict.UNCHANGED
    elif p >= significance or same_program:
        verdict = Verdict.NOISE
    elif (ratio > 1) == (better == Direction.LOWER):
        verdict = Verdict.REGRESSED
    else:
        verdict = Verdict.IMPROVED
    sign = 1 if better == Direction.LOWER else -1
    slowdowns = (sign * logs_before, sign * logs_after, significance)
    return Judgement(
        before=float(np.median(before)),
        before_iqr=float(stats.iqr(before)),
        n_before=len(before),
        after=float(np.median(after)),
        after_iqr=float(stats.iqr(after)),
        n_after=len(after),
        ratio=ratio,
        p=p,
        threshold=threshold,
        verdict=verdict,
        undetected=max(threshold, _not_excluded(*slowdowns)) if enough else np.nan,
    )


def ratio_of(before: float, after: float) -> float:
    """After over before; infinite if only the value before is 0, and 1 if both are 0."""
    if before:
        return after / before
    return np.inf if after else 1.0


def usual_change(history: Sequence[float]) -> float:
    """The usual relative change from one result to the next: Q3 + 3 IQR of the last changes.

    It is computed on steps of the logarithm, and is 0 for fewer than three results.
    """
    values = np.asarray(history[-_HISTORY:], float)
    values = values[values > 0]
    if len(values) < 3:
        return 0.0
    steps = np.abs(np.diff(np.log(values)))
    low, high = np.quantile(steps, [0.25, 0.75])
    return float(np.expm1(high + 3 * (high - low)))


def _logs(samples: Sequence[float]) -> np.ndarray:
    with np.errstate(divide="ignore"):
        return np.log(np.asarray(samples, float))


def _size(ratio: float) -> float:
    return abs(math.log(ratio)) if ratio > 0 else math.inf


def _mann_whitney(before: np.ndarray, after: np.ndarray, alternative: str = "two-sided") -> float:
    return float(stats.mannwhitneyu(before, after, alternative=alternative, method="exact").pvalue)


def _not_excluded(before: np.ndarray, after: np.ndarray, significance: float) -> float:
    """The largest relative slowdown that the test does not exclude.

    It is the upper end of the confidence interval that belongs to the test. A slowdown is
    excluded if the samples before, slowed down by it, would be larger than those after by
    more than chance. The test changes its mind only at differences of a pair.
    """
    differences = np.sort(np.subtract.outer(after, before), axis=None)
    between = (differences[1:] + differences[:-1]) / 2

    def excluded(slowdown: float) -> bool:
        return _mann_whitney(before + slowdown, after, "greater") < significance / 2

    return float(np.expm1(differences[bisect.bisect_left(between, True, key=excluded)]))
