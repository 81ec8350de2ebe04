"""What a report says of the size of a change: it is the exact test, and true of few rounds."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from reports.commits.effects import effects
from reports.commits.errors.coverage import coverage_of
from reports.commits.errors.noise import NOISES
from reports.commits.ranks import exact_p, fewest_rounds, interval
from reports.commits.time_verdicts import FEWEST_FIRST_ROUNDS, FEWEST_TO_EXCLUDE
from tests.reports.commits.drawn_rounds import drawn, only, rows

WHOLE = st.lists(st.integers(-6, 6).map(float), min_size=1, max_size=8)
TIMES = st.lists(st.floats(1.0, 10.0), min_size=4, max_size=8)


def pairs(before, after, shift=0.0):
    differences = np.subtract.outer(np.array(after), np.array(before)).reshape(1, -1) - shift
    return differences, pd.Series([len(before)]), pd.Series([len(after)])


@given(WHOLE, WHOLE, st.integers(-15, 15).map(float), st.sampled_from([0.05, 0.2, 0.01]))
def test_a_shift_is_in_the_interval_exactly_if_the_test_does_not_reject_it(
    before, after, shift, level
):
    low, high = interval(*pairs(before, after), level)
    (p,) = exact_p(*pairs(before, after, shift))
    assert (p > level) == (low[0] <= shift <= high[0])


@pytest.mark.parametrize("n", range(1, 9))
def test_too_few_rounds_have_no_ends_and_exclude_nothing(n):
    row = only(effects(rows(*drawn(n, n=n))))
    assert np.isfinite(row.high) == (row.low > 0) == (n >= FEWEST_FIRST_ROUNDS)
    assert np.isfinite(row.not_excluded) == (n >= FEWEST_TO_EXCLUDE)
    assert (fewest_rounds(0.05), fewest_rounds(0.001)) == (FEWEST_FIRST_ROUNDS, FEWEST_TO_EXCLUDE)


@pytest.mark.parametrize("model", NOISES)
@pytest.mark.parametrize("n_rounds", [2, 3, 4, 5, 8])
def test_intervals_hold_the_truth_and_so_does_what_is_said_where_no_change_is_seen(model, n_rounds):
    """The reader reads what is excluded of those measurements alone that were not named."""
    found = coverage_of(NOISES[model], n_rounds, 20)
    assert found["held"].mean() >= 0.93
    wrong = ~found["true"][found["not_seen"]]
    assert wrong.sum() <= stats.binom.ppf(0.99, len(wrong), 0.05)


@given(TIMES, TIMES, st.floats(0.01, 0.5))
def test_what_a_clock_rounds_away_stays_in_the_interval(before, after, tick):
    read = [tick * np.round(np.array(times) / tick) for times in (before, after)]
    exact, rounded = only(effects(rows(before, after))), only(effects(rows(*read)))
    inside = interval(*pairs(np.log(before), np.log(after)), 0.05)
    assert rounded.low <= np.exp(inside[0][0]) * (1 + 1e-6)
    assert rounded.high >= np.exp(inside[1][0]) * (1 - 1e-6)
    assert exact.low <= exact.ratio <= exact.high


def test_equal_readings_alone_tell_nothing_of_the_clock():
    row = only(effects(rows([1.0] * 8, [1.0] * 8)))
    assert (row.ratio, row.low, row.high, row.not_excluded) == (1.0, 0.0, np.inf, np.inf)


@pytest.mark.parametrize("slower_side", [1.15, 1 / 1.15])
def test_where_the_bounds_differ_seconds_alone_count(slower_side):
    """The ratio of a program that got 10 % slower falls if its bound got 15 % slower."""
    before, after = drawn(0, step=1.1, spread=0.02)
    speeds = np.exp(0.1 * np.random.default_rng(1).standard_normal(8))
    ratios = drawn(2, step=1.1 / slower_side, spread=0.001)
    row = only(effects(rows(before * speeds, after * speeds, ratios=ratios)))
    assert row.measured_by == "seconds"
    assert row.ratio == pytest.approx(1.1, rel=0.05)
