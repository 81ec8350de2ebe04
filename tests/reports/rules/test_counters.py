"""The verdict on a deterministic measurement, where a side has none and where both have one."""

import numpy as np
import pandas as pd
import pytest

from reports.rules.counters import judge_counters
from reports.sources.measurements import KEY

OK, FAILED, SKIPPED, MISSING = "ok", "failed", "skipped", None


def judged(before, after, statuses=(OK, OK), metric="retraces"):
    """The judgement on one measurement; a side whose status is None lacks it."""
    sides = []
    for value, status in zip((before, after), statuses, strict=True):
        row = ("simpson:value", "simulated", 256, "cpu", metric, value, status, "")
        frame = pd.DataFrame([row], columns=[*KEY, "value", "status", "detail"])
        sides.append(frame if status else frame.iloc[:0])
    (found,) = judge_counters(*sides).itertuples()
    return found


@pytest.mark.parametrize(
    ("before", "after", "verdict"),
    [
        (OK, FAILED, "failing"),
        (SKIPPED, FAILED, "failing"),
        (FAILED, FAILED, "still failing"),
        (MISSING, OK, "added"),
        (SKIPPED, OK, "added"),
        (OK, SKIPPED, "skipped"),
        (FAILED, SKIPPED, "skipped"),
        (OK, MISSING, "removed"),
        (FAILED, MISSING, "removed"),
        (SKIPPED, SKIPPED, "skipped on both sides"),
        (SKIPPED, MISSING, "skipped on both sides"),
    ],
)
def test_what_a_side_lacks_is_named_by_what_became_of_it(before, after, verdict):
    assert judged(1, 1, (before, after)).verdict == verdict


@pytest.mark.parametrize(
    ("before", "after", "ratio", "verdict"),
    [(0, 1, np.inf, "regressed"), (0, 0, 1.0, "unchanged"), (4, 2, 0.5, "improved")],
)
def test_what_comes_of_nothing_is_infinitely_more(before, after, ratio, verdict):
    found = judged(before, after)
    assert (found.ratio, found.verdict) == (ratio, verdict)
