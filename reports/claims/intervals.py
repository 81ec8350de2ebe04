"""Means over seeds, with their confidence intervals."""

from collections.abc import Iterable, Mapping
from typing import NamedTuple

import numpy as np
import pandas as pd
import scipy.stats

__all__ = ["Interval", "interval", "intervals"]

_CONFIDENCE = 0.95


class Interval(NamedTuple):
    """A mean over seeds with its 95 % confidence interval."""

    mean: float
    low: float
    high: float
    n: int


def interval(values: Iterable[float]) -> Interval:
    """Mean and t interval; the mean alone where nothing varies or there is one value."""
    found = np.asarray(list(values), dtype=float)
    mean = float(found.mean())
    error = float(scipy.stats.sem(found)) if len(found) > 1 else 0.0
    if not error > 0:
        return Interval(mean, mean, mean, len(found))
    low, high = scipy.stats.t.interval(_CONFIDENCE, len(found) - 1, mean, error)
    return Interval(mean, float(low), float(high), len(found))


def intervals(rows: Iterable[Mapping[str, float]]) -> dict[str, Interval]:
    """The interval of every name, over the rows that have it."""
    columns = pd.DataFrame(list(rows))
    return {str(name): interval(numbers.dropna()) for name, numbers in columns.items()}
