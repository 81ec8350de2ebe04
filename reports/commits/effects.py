"""By how much a time differs between two sides that were measured in rounds, and how surely.

Everything is computed from logarithms: slower and faster are mirror images, and seconds and
cells per second say the same.
"""

from enum import StrEnum
from typing import NamedTuple

import numpy as np
import pandas as pd

from benchmarks.schema.metrics import METRICS
from benchmarks.schema.rounds import RoundTime, Side
from reports.commits.ranks import exact_p, interval

__all__ = ["CONFIDENCE", "NOT_EXCLUDED_LEVEL", "TIME_KEY", "MeasuredBy", "effects"]

# The columns that name a time.
TIME_KEY = ["benchmark", "n_cells", "device", "metric"]
CONFIDENCE = 0.95
# The level of the interval whose farther end a report says is not excluded: on either side the
# interval misses the true change in one of 2000 cases. A report says this only of times without a
# named change. Suppose that a change stays unnamed in one report of a hundred: then at most one in
# twenty of these reports exclude it wrongly.
NOT_EXCLUDED_LEVEL = 0.001
# Up to this p, the lower bounds of the two sides differ.
_BOUNDS_DIFFER = 0.2
# Times that are nearer to each other, as a share, are equal but for their arithmetic.
_EQUAL = 1e-9


class MeasuredBy(StrEnum):
    """The quantity that carries the verdict on a time."""

    SECONDS = "seconds"
    RATIO = "ratio to the lower bound"


class _Pairs(NamedTuple):
    """For every time, the differences of all pairs of a process of the head and one of the base.

    Attributes:
        differences: (times, pairs), of logarithms.
        n_before, n_after: how many processes of either side have the time."""

    differences: np.ndarray
    n_before: pd.Series
    n_after: pd.Series


def effects(times: pd.DataFrame) -> pd.DataFrame:
    """The change of every time by the rounds of one stage, and how sure it is.

    The effect is the Hodges-Lehmann estimate, ``exp(median over i, j of log after_i - log
    before_j)``. Its interval and p are those of the exact two-sided Mann-Whitney test. They are
    of one quantity, which the rounds choose out of two: a test of it errs at most twice as often
    as its level says.

    Args:
        times: columns of ``RoundTime``; rounds of one stage.

    Returns:
        A row per time, in the order of ``times``: ``TIME_KEY``, ``kind``, ``better``,
        ``measured_by`` and its ``unit``; ``before`` and ``after``, medians in that unit, with
        ``before_iqr`` and ``after_iqr``, over ``n_before`` and ``n_after`` rounds; ``ratio``,
        the effect after over before; ``low`` and ``high``, its 95 % interval, from 0 to
        infinity where the rounds are too few for any other; ``not_excluded``, the largest
        change in either direction that the rounds do not exclude, as a share, infinite where
        they are too few; ``p``. What a side without rounds would have is NaN.

    Raises:
        ValueError: a process has two rows of a time, a time is not positive, or the rounds
            are of two stages.
    """
    _check(times)
    named = times[TIME_KEY].drop_duplicates(ignore_index=True)
    seconds, ratios = (_by_process(times, name) for name in ("seconds", "ratio"))
    by_ratio = _by_ratio(seconds, ratios)
    values = np.where(by_ratio[:, None, None], ratios, seconds)
    pairs = _pairs(values)
    ticks = _tick(seconds) + np.where(by_ratio, _tick(seconds - ratios), 0.0)
    low, high = _interval(pairs, 1 - CONFIDENCE, ticks)
    lowest, highest = _interval(pairs, NOT_EXCLUDED_LEVEL, ticks)
    meaning = [METRICS[metric] for metric in named["metric"]]
    return named.assign(
        kind=[m.kind for m in meaning],
        better=[m.better for m in meaning],
        measured_by=np.where(by_ratio, MeasuredBy.RATIO, MeasuredBy.SECONDS),
        unit=np.where(by_ratio, "ratio", "s"),
        **_summary("before", values[:, 0]),
        **_summary("after", values[:, 1]),
        ratio=np.exp(pd.DataFrame(pairs.differences).median(axis=1)),
        low=np.exp(low),
        high=np.exp(high),
        not_excluded=np.expm1(np.maximum(-lowest, highest)),
        p=exact_p(*pairs),
    )


def _by_ratio(seconds: np.ndarray, ratios: np.ndarray) -> np.ndarray:
    """Which times are judged by their ratio to the lower bound.

    Those whose ratio scatters less than their seconds among the processes of a side. Where the
    bounds of the two sides differ, the ratio would show that difference: seconds alone count.
    """
    bounds_differ = exact_p(*_pairs(seconds - ratios)) <= _BOUNDS_DIFFER
    return (_mean_difference(ratios) < _mean_difference(seconds)) & ~bounds_differ


def _pairs(values: np.ndarray) -> _Pairs:
    """The pairs of logarithms by time, side and round."""
    n_before, n_after = (pd.Series((~np.isnan(values[:, i])).sum(axis=1)) for i in range(2))
    differences = values[:, 1, :, None] - values[:, 0, None, :]
    return _Pairs(differences.reshape(len(values), values.shape[2] ** 2), n_before, n_after)


def _interval(pairs: _Pairs, level: float, ticks: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The interval of the shift between times as they were before the clock rounded them."""
    low, high = interval(*pairs, level)
    return low - ticks, high + ticks


def _tick(values: np.ndarray) -> np.ndarray:
    """What the clock counts in, as far as the readings tell, as a share of the shortest.

    No two different readings are nearer to each other than a tick. Where all are equal, nothing
    is known of it: it is infinite.
    """
    readings = np.sort(np.exp(np.hstack([values[:, 0], values[:, 1]])), axis=1)
    gaps = np.diff(readings, axis=1)
    gaps = np.where(gaps > _EQUAL * readings[:, 1:], gaps, np.inf)
    return np.log1p(gaps.min(axis=1) / readings[:, 0])


def _check(times: pd.DataFrame) -> None:
    if missing := [name for name in RoundTime.names() if name not in times]:
        raise ValueError(f"times: the column {missing[0]!r} is missing")
    if times["stage"].nunique() > 1:
        raise ValueError("times: rounds of two stages, accepted are those of one")
    twice = times[times.duplicated([*TIME_KEY, "round", "side"])]
    if not twice.empty:
        row = twice.iloc[0]
        raise ValueError(
            f"times: two rows of {row['benchmark']} {row['metric']} from the process of round "
            f"{row['round']}, {row['side']}; accepted is one, the process is the unit"
        )
    for name in ("seconds", "ratio"):
        wrong = times[name][~(np.isfinite(times[name]) & (times[name] > 0))]
        if not wrong.empty:
            raise ValueError(f"times: {name} is {wrong.iloc[0]}, accepted are numbers above 0")


def _by_process(times: pd.DataFrame, name: str) -> np.ndarray:
    """Logarithms: (times, sides, rounds), NaN where a process lacks the time."""
    at = times.groupby(TIME_KEY, sort=False).ngroup()
    side = (times["side"] == Side.HEAD).astype(int)
    number, rounds = pd.factorize(times["round"])  # however the rounds are numbered
    values = np.full((at.nunique(), len(Side), max(len(rounds), 1)), np.nan)
    values[at, side, number] = np.log(times[name])
    return values


def _mean_difference(values: np.ndarray) -> np.ndarray:
    """Mean absolute difference between two processes of a time, of the same side."""
    within = np.abs(values[:, :, :, None] - values[:, :, None, :])
    return np.nanmean(within, axis=(1, 2, 3))


def _summary(name: str, values: np.ndarray) -> dict[str, pd.Series]:
    """Median and interquartile range of a side, and its number of rounds."""
    rounds = pd.DataFrame(np.exp(values))
    low, middle, high = (rounds.quantile(q, axis=1) for q in (0.25, 0.5, 0.75))
    return {name: middle, f"{name}_iqr": high - low, f"n_{name}": rounds.count(axis=1)}
