"""How fast a sweep was measured again: times now over then, which inform."""

from typing import NamedTuple

import pandas as pd

__all__ = ["Speed", "speed_of", "speeds"]

# The lower bounds say what the machine alone changed, the ratios to them what the losses did.
_SHOWN = ("lower_bound_seconds", "lower_bound_ratio", "call_seconds", "compile_seconds")


class Speed(NamedTuple):
    """Quartiles, over programs, of a figure now over then.

    Attributes:
        metric: the wall-clock figure.
        n_programs: number of programs that were measured both times.
        low, median, high: the quartiles; above 1 it takes longer now.
    """

    metric: str
    n_programs: int
    low: float
    median: float
    high: float


def speeds(rows: pd.DataFrame) -> list[Speed]:
    """The quartiles of the lower bounds, of the ratios to them, of calls and of compilations.

    Args:
        rows: ``metric``, ``published``, ``again``; figures that were not measured are None.
    """
    found = []
    for metric in _SHOWN:
        both = rows[rows["metric"] == metric].dropna(subset=["published", "again"])
        if both.empty:
            continue
        ratios = both["again"].astype(float) / both["published"].astype(float)
        low, median, high = ratios.quantile([0.25, 0.5, 0.75])
        found.append(Speed(metric, len(ratios), low, median, high))
    return found


def speed_of(found: list[Speed], metric: str) -> Speed | None:
    """The quartiles of one figure, None where it was not measured both times."""
    return next((speed for speed in found if speed.metric == metric), None)
