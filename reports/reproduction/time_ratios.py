"""Times of a sweep that was measured again, over those then: they inform, and decide nothing."""

from typing import NamedTuple

import pandas as pd

__all__ = ["TimeRatio", "time_ratio_of", "time_ratios"]

# The lower bounds say what the machine alone changed, the ratios to them what the losses did.
_SHOWN = ("lower_bound_seconds", "lower_bound_ratio", "call_seconds", "compile_seconds")


class TimeRatio(NamedTuple):
    """Quartiles, over programs, of a time now over then.

    Attributes:
        metric: the time or peak.
        n_programs: number of programs that were measured both times.
        low, median, high: the quartiles; above 1 it takes longer now.
    """

    metric: str
    n_programs: int
    low: float
    median: float
    high: float


def time_ratios(rows: pd.DataFrame) -> list[TimeRatio]:
    """The quartiles of the lower bounds, of the ratios to them, of calls and of compilations.

    Args:
        rows: ``metric``, ``published``, ``again``; what was not measured is None.
    """
    found = []
    for metric in _SHOWN:
        both = rows[rows["metric"] == metric].dropna(subset=["published", "again"])
        if both.empty:
            continue
        ratios = both["again"].astype(float) / both["published"].astype(float)
        low, median, high = ratios.quantile([0.25, 0.5, 0.75])
        found.append(TimeRatio(metric, len(ratios), low, median, high))
    return found


def time_ratio_of(found: list[TimeRatio], metric: str) -> TimeRatio | None:
    """The quartiles of one metric, None where it was not measured both times."""
    return next((ratio for ratio in found if ratio.metric == metric), None)
