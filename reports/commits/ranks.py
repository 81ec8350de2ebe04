"""Mann and Whitney's exact test on two small samples, and the interval that inverts it.

Both look at the differences of all pairs of a value after and a value before alone. U is the
number of positive ones. A shift is in the interval exactly if the test does not reject it.
"""

import functools
import itertools
import math

import numpy as np
import pandas as pd
from scipy import special

__all__ = ["exact_p", "fewest_rounds", "interval", "smallest_p"]


def exact_p(differences: np.ndarray, n_before: pd.Series, n_after: pd.Series) -> np.ndarray:
    """Two-sided p of every row.

    A tie may count as either: U is taken as near to its mean as the ties allow, which keeps
    the test valid.

    Args:
        differences: (times, pairs), NaN where a side lacks a value.
        n_before, n_after: number of values of each side.

    Returns:
        NaN where a side has no value.
    """
    wins, not_losses = (differences > 0).sum(axis=1), (differences >= 0).sum(axis=1)
    u = np.clip(n_before * n_after / 2, wins, not_losses).astype(int)
    found = [_p_of_u(*sizes)[i] for *sizes, i in zip(n_before, n_after, u, strict=True)]
    return np.array(found, float)


def interval(
    differences: np.ndarray, n_before: pd.Series, n_after: pd.Series, level: float
) -> tuple[np.ndarray, np.ndarray]:
    """The lowest and the highest shift whose p is larger than the level.

    The shift that is true lies outside with a probability of at most the level, half of it on
    either side, whatever the distribution is. Values that are equal make the interval wider.

    Args:
        differences, n_before, n_after: as in ``exact_p``.
        level: of the two-sided test.

    Returns:
        Infinite ends where the values are too few for any shift to be rejected, and NaN where
        a side has no value.
    """
    sizes = list(zip(n_before, n_after, strict=True))
    # The test rejects a shift that leaves fewer differences than these on one side.
    fewest = np.array([_n_rejecting(*each, level) for each in sizes], int)
    n_pairs = np.array([before * after for before, after in sizes], int)
    ordered = np.sort(differences, axis=1)  # NaN comes last
    ordered = np.pad(ordered, ((0, 0), (0, 1)), constant_values=np.nan)
    rows = np.arange(len(ordered))

    def bounded(end: np.ndarray, infinite: float) -> np.ndarray:
        return np.where(n_pairs == 0, np.nan, np.where(fewest == 0, infinite, end))

    low, high = ordered[rows, fewest - 1], ordered[rows, n_pairs - fewest]
    return bounded(low, -np.inf), bounded(high, np.inf)


def smallest_p(n_before: pd.Series, n_after: pd.Series) -> pd.Series:
    """The p of two sides that do not overlap: so many rounds cannot have a smaller one."""
    return np.minimum(1.0, 2 / special.comb(n_before + n_after, n_after))


def fewest_rounds(level: float) -> int:
    """The fewest rounds a side of which any result can have a p of at most the level."""
    return next(n for n in itertools.count(1) if 2 / math.comb(2 * n, n) <= level)


@functools.cache
def _n_rejecting(n_before: int, n_after: int, level: float) -> int:
    """How many values of U, from 0 on, the test rejects."""
    smaller = _p_of_u(n_before, n_after)[: (n_before * n_after + 1) // 2]
    return int((smaller <= level).sum())


@functools.cache
def _p_of_u(n_before: int, n_after: int) -> np.ndarray:
    """The p of every U, where all assignments of the values to the sides are equally likely.

    ``ways[n, s]`` counts the sets of n ranks whose sum is s; U is the sum of the ranks after,
    less the smallest sum there is. SciPy has this distribution, but offers no function of U.
    """
    if not n_before or not n_after:
        return np.full(1, np.nan)
    n = n_before + n_after
    ways = np.zeros((n_after + 1, n * (n + 1) // 2 + 1))
    ways[0, 0] = 1
    for rank in range(1, n + 1):
        ways[1:, rank:] += ways[:-1, :-rank]
    smallest = n_after * (n_after + 1) // 2
    counts = ways[n_after, smallest : smallest + n_before * n_after + 1]
    up_to = counts.cumsum() / counts.sum()
    return np.minimum(1.0, 2 * np.minimum(up_to, up_to[::-1]))
