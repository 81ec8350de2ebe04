"""Verdicts and answers, and which of them fail a change."""

from enum import IntEnum, StrEnum
from typing import Any

import numpy as np
import pandas as pd

from benchmarks.schema.metrics import Kind

__all__ = [
    "DETERMINISTIC",
    "GATING",
    "JUDGED",
    "WALL_CLOCK",
    "Answer",
    "Verdict",
    "gates",
    "urgent_first",
    "worst",
]

# Kinds of metrics that are the same every time, and kinds that need statistics.
DETERMINISTIC = (Kind.MEMORY, Kind.COUNTER, Kind.ACCURACY)
WALL_CLOCK = (Kind.TIME, Kind.COMPILE, Kind.PEAK)


class Verdict(StrEnum):
    """What became of one measurement, in the order in which a headline counts them."""

    REGRESSED = "regressed"
    IMPROVED = "improved"
    UNCHANGED = "unchanged"
    FAILING = "failing"
    REMOVED = "removed"
    SKIPPED = "skipped"
    ADDED = "added"
    STILL_FAILING = "still failing"
    NOISE = "noise"
    CHANGED = "changed"
    UNDECIDED = "undecided"
    INCOMPARABLE = "not comparable"
    ABSENT = "skipped on both sides"


class Answer(IntEnum):
    """What becomes of a change; the numbers are the commands' exit codes."""

    PASSES = 0
    FAILS = 1
    UNJUDGED = 2


JUDGED = (Verdict.REGRESSED, Verdict.IMPROVED, Verdict.UNCHANGED)
_VANISHED = (Verdict.REMOVED, Verdict.SKIPPED)
GATING = (Verdict.FAILING, *_VANISHED, Verdict.REGRESSED)
_URGENCY = (Verdict.FAILING, *_VANISHED, Verdict.ADDED, Verdict.REGRESSED)


def gates(
    verdicts: pd.DataFrame, *, on_time: bool = False, baseline_renewed: bool = False
) -> pd.Series:
    """Which rows fail a change.

    Args:
        verdicts: rows with ``kind`` and ``verdict``.
        on_time: whether times and peaks that got worse fail it too.
        baseline_renewed: whether the change renews the baseline, by which it says that
            measurements vanish on purpose.
    """
    found = verdicts["verdict"]
    vanished = found.isin(_VANISHED) & (not baseline_renewed)
    certain = verdicts["kind"].isin(DETERMINISTIC) | on_time
    return (found == Verdict.FAILING) | vanished | ((found == Verdict.REGRESSED) & certain)


def urgent_first(verdicts: pd.DataFrame) -> pd.DataFrame:
    """The rows that failed, vanished or came, then the rest, those that moved farthest first."""
    rank = verdicts["verdict"].map(
        lambda found: _URGENCY.index(found) if found in _URGENCY else len(_URGENCY)
    )
    ratios = verdicts["ratio"].astype(float)
    # A row without a positive ratio moved infinitely far.
    distance = np.log(ratios.where(ratios > 0)).abs().fillna(np.inf)
    order = pd.DataFrame({"rank": rank, "nearness": -distance})
    return verdicts.loc[order.sort_values(["rank", "nearness"], kind="stable").index]


def worst(verdicts: pd.DataFrame) -> Any | None:
    """The row to name before all others: one that fails the change, or else one that got worse.

    Args:
        verdicts: rows with ``gates``, as ``judge`` returns them.
    """
    got_worse = verdicts[verdicts["verdict"].isin(GATING)]
    failing = got_worse[got_worse["gates"]]
    rows = urgent_first(got_worse if failing.empty else failing)
    return next(rows.itertuples(index=False), None)
