"""Verdicts on the times of two commits that were measured in rounds, at one error rate a report.

First every time is taken in ``FIRST_ROUNDS`` rounds. A time that may have changed by them is open:
it is taken again, in ``AGAIN_ROUNDS`` new rounds, or in as many as there is time for. Their number
is settled before any of them is seen. The test uses the new rounds alone. It does not matter how
the open times were chosen, because no round is used both to choose and to test: by
Benjamini-Hochberg's procedure over the open times, the expected share of false ones among the
changes that it names is at most its level.

If too few new rounds were held for any result to pass, the first rounds are tested instead, all
times together, so that a change is named that they show beyond doubt. A report thus has two tests,
and each of them chooses between seconds and ratios. The level of each is a quarter of ``RATE``, so
that together they err in at most that share of the reports.
"""

from collections.abc import Collection

import numpy as np
import pandas as pd
from scipy import stats

from benchmarks.schema.metrics import Kind
from benchmarks.schema.rounds import Stage
from reports.commits.effects import CONFIDENCE, NOT_EXCLUDED_LEVEL, TIME_KEY, effects
from reports.commits.ranks import fewest_rounds, smallest_p
from reports.rules.counters import SMALLEST_CHANGE
from reports.rules.verdicts import Verdict

__all__ = [
    "AGAIN_ROUNDS",
    "FEWEST_FIRST_ROUNDS",
    "FEWEST_TO_EXCLUDE",
    "FIRST_ROUNDS",
    "OPEN_LEVEL",
    "RATE",
    "TEST_LEVEL",
    "Program",
    "fewest_again_rounds",
    "judge_stages",
    "judge_times",
    "open_times",
]

FIRST_ROUNDS = 8
AGAIN_ROUNDS = 20
# After the first rounds a time is open if its p is not larger.
OPEN_LEVEL = 0.1
# The false share of the changes that a report names, and of reports that name any for nothing.
RATE = 0.05
TEST_LEVEL = RATE / 4
# The fewest rounds a side of which an interval has ends, and of which a change is excluded.
FEWEST_FIRST_ROUNDS = fewest_rounds(1 - CONFIDENCE)
FEWEST_TO_EXCLUDE = fewest_rounds(NOT_EXCLUDED_LEVEL)

_CHANGED = (Verdict.REGRESSED, Verdict.IMPROVED)
_PROGRAM = ["benchmark", "n_cells", "device"]
Program = tuple[str, int, str]


def judge_times(times: pd.DataFrame, same_programs: Collection[Program] = ()) -> pd.DataFrame:
    """The verdict on every time, and what it cannot exclude.

    Args:
        times: columns of ``RoundTime``, of both stages.
        same_programs: benchmark, n_cells and device where both sides compiled to the same.

    Returns:
        The rows of ``judge_stages``, with ``undetected``, where no change was named: the largest
        change in either direction that the rounds do not exclude, as a share.

    Raises:
        ValueError: nothing was measured, or what ``effects`` refuses.
    """
    if times.empty:
        raise ValueError("times: no rows, nothing was measured")
    found = {stage: effects(times[times["stage"] == stage]) for stage in Stage}
    rows = judge_stages(found[Stage.FIRST], found[Stage.AGAIN], same_programs)
    return rows.assign(undetected=rows["not_excluded"].mask(rows["verdict"].isin(_CHANGED)))


def open_times(first: pd.DataFrame, same_programs: Collection[Program] = ()) -> pd.DataFrame:
    """The times whose verdict is open after the first rounds.

    These have a p of at most ``OPEN_LEVEL`` and an effect of more than ``SMALLEST_CHANGE``.
    Calls of identical programs are not among them: what differs there is the machine.

    Args:
        first: ``effects`` of the first rounds.
        same_programs: as in ``judge_times``.

    Returns:
        ``TIME_KEY``, a row per time.
    """
    return first.loc[_is_open(first, same_programs), TIME_KEY]


def fewest_again_rounds(n_open: int) -> int:
    """The fewest new rounds of which the largest change of so many times can pass."""
    return fewest_rounds(TEST_LEVEL / n_open)


def judge_stages(
    first: pd.DataFrame, again: pd.DataFrame, same_programs: Collection[Program] = ()
) -> pd.DataFrame:
    """The verdict on every time.

    Args:
        first, again: ``effects`` of the first rounds, and of those that measured again what
            was open.
        same_programs: as in ``judge_times``.

    Returns:
        The rows of ``effects``, of the ``stage`` whose rounds are judged: the new ones, if there
        are enough of them, since the first ones were selected for showing a large change. With

        - ``threshold``, the smallest change that counts;
        - ``verdict``: regressed or improved where the rounds pass the test, and both stages, if
          both were held, show a change of more than the threshold in one direction; undecided
          where rounds are missing; noise where only the effect exceeds the threshold; unchanged
          for a smaller effect;
        - ``tested``, whether a test could have named the time;
        - ``opened``, whether the first rounds left it open;
        - ``rounds_needed``, where undecided: the fewest rounds a side that can decide, new ones
          of what was left open.
    """
    first = first.reset_index(drop=True)
    is_open = _is_open(first, same_programs)
    rows = _judged_by(first, again, is_open)
    by_again = rows["stage"] == Stage.AGAIN
    same = _is_same_call(first, same_programs)
    may_change = first["p"].notna() & ~same
    passes = np.where(
        by_again,
        _pass_together(rows["p"].where(by_again, 1.0), is_open),
        _pass_together(first["p"], may_change),
    )
    changed = passes & may_change & _is_large(rows) & ((rows["ratio"] > 1) == (first["ratio"] > 1))
    needed = pd.Series(np.nan, rows.index)
    needed[_too_few(rows, 1 - CONFIDENCE) & ~same] = FEWEST_FIRST_ROUNDS
    if is_open.any():
        needed[is_open & ~by_again & ~changed] = fewest_again_rounds(is_open.sum())
    found = np.select(
        [changed & (rows["ratio"] > 1), changed, needed.notna()],
        [Verdict.REGRESSED, Verdict.IMPROVED, Verdict.UNDECIDED],
        np.where(_is_large(rows), Verdict.NOISE, Verdict.UNCHANGED),
    )
    return rows.assign(
        threshold=SMALLEST_CHANGE,
        verdict=found,
        tested=may_change & needed.isna(),
        opened=is_open,
        rounds_needed=needed,
    )


def _is_open(first: pd.DataFrame, same_programs: Collection[Program]) -> pd.Series:
    return (first["p"] <= OPEN_LEVEL) & _is_large(first) & ~_is_same_call(first, same_programs)


def _is_large(found: pd.DataFrame) -> pd.Series:
    """Whether an effect exceeds the smallest change that counts, in either direction."""
    return np.log(found["ratio"]).abs() > np.log1p(SMALLEST_CHANGE)


def _is_same_call(found: pd.DataFrame, same_programs: Collection[Program]) -> pd.Series:
    """Whether a time is the call of a program that did not change; to compile it may."""
    programs = zip(*(found[name] for name in _PROGRAM), strict=True)
    same = np.array([program in same_programs for program in programs], dtype=bool)
    return (found["kind"] == Kind.TIME) & same


def _judged_by(first: pd.DataFrame, again: pd.DataFrame, is_open: pd.Series) -> pd.DataFrame:
    """The rows of the first rounds, those of open times replaced by the new ones, if enough."""
    new = first.loc[is_open, TIME_KEY].merge(again, on=TIME_KEY).assign(stage=Stage.AGAIN)
    enough = ~_too_few(new, TEST_LEVEL / max(is_open.sum(), 1))
    rows = pd.concat([new[enough], first.assign(stage=Stage.FIRST)]).drop_duplicates(TIME_KEY)
    return first[TIME_KEY].merge(rows, on=TIME_KEY)


def _too_few(found: pd.DataFrame, level: float) -> pd.Series:
    """Whether the rounds are so few that no result could have a p of at most the level."""
    return smallest_p(found["n_before"], found["n_after"]) > level


def _pass_together(p: pd.Series, tested: pd.Series) -> pd.Series:
    """Which of the tested times pass Benjamini-Hochberg's procedure."""
    passes = pd.Series(False, p.index)
    passes[tested] = stats.false_discovery_control(p[tested].fillna(1.0)) <= TEST_LEVEL
    return passes
