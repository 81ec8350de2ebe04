"""Verdicts on the times of two commits that were measured in rounds, at one error rate a report.

First every figure is measured in ``FIRST_ROUNDS`` rounds. Those that could have changed are
still open: they are measured again, in ``AGAIN_ROUNDS`` rounds, or in as many as the time allows,
which is settled before any of them is seen. The new rounds alone are tested, so that the choice
of what to measure again costs nothing: however it is made, Benjamini-Hochberg's procedure over
the chosen figures keeps the false share of the changes that they name at its level.

Where too few new rounds were held for any result to pass, the first rounds are tested by
themselves, all figures together, so that a change they show beyond doubt is named. There are two
tests, and each has the choice between seconds and ratios. A quarter of ``RATE`` is the level of
each: all together keep to it.
"""

from collections.abc import Collection

import numpy as np
import pandas as pd
from scipy import stats

from benchmarks.schema.metrics import Kind
from benchmarks.schema.rounds import Stage
from reports.commits.effects import CONFIDENCE, FIGURE, NOT_EXCLUDED_LEVEL, effects
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
    "concluded",
    "fewest_again_rounds",
    "verdicts",
    "worth_another_look",
]

FIRST_ROUNDS = 8
AGAIN_ROUNDS = 20
# After the first rounds a figure is open if its p is not larger.
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


def verdicts(times: pd.DataFrame, same_programs: Collection[Program] = ()) -> pd.DataFrame:
    """The verdict on every figure, and what it cannot exclude.

    Args:
        times: columns of ``RoundTime``, of both stages.
        same_programs: benchmark, n_cells and device where both sides compiled to the same.

    Returns:
        The rows of ``concluded``, with ``undetected``, where no change was named: the largest
        change in either direction that the rounds do not exclude, as a share.

    Raises:
        ValueError: nothing was measured, or what ``effects`` refuses.
    """
    if times.empty:
        raise ValueError("times: no rows, nothing was measured")
    found = {stage: effects(times[times["stage"] == stage]) for stage in Stage}
    rows = concluded(found[Stage.FIRST], found[Stage.AGAIN], same_programs)
    return rows.assign(undetected=rows["not_excluded"].mask(rows["verdict"].isin(_CHANGED)))


def worth_another_look(
    first: pd.DataFrame, same_programs: Collection[Program] = ()
) -> pd.DataFrame:
    """The figures whose verdict is open after the first rounds.

    These have a p of at most ``OPEN_LEVEL`` and an effect of more than ``SMALLEST_CHANGE``.
    Calls of identical programs are not among them: what differs there is the machine.

    Args:
        first: ``effects`` of the first rounds.
        same_programs: as in ``verdicts``.

    Returns:
        ``FIGURE``, a row per figure.
    """
    return first.loc[_is_open(first, same_programs), FIGURE]


def fewest_again_rounds(n_open: int) -> int:
    """The fewest new rounds of which the largest change of so many figures can pass."""
    return fewest_rounds(TEST_LEVEL / n_open)


def concluded(
    first: pd.DataFrame, again: pd.DataFrame, same_programs: Collection[Program] = ()
) -> pd.DataFrame:
    """The verdict on every figure.

    Args:
        first, again: ``effects`` of the first rounds, and of those that measured again what
            was open.
        same_programs: as in ``verdicts``.

    Returns:
        The rows of ``effects``, of the ``stage`` whose rounds are judged: the new ones, if there
        are enough of them, since the first ones were selected for showing a large change. With

        - ``threshold``, the smallest change that counts;
        - ``verdict``: regressed or improved where the rounds pass the test, and both stages, if
          both were held, show a change of more than the threshold in one direction; undecided
          where rounds are missing; noise where only the effect exceeds the threshold; unchanged
          for a smaller effect;
        - ``tested``, whether a test could have named the figure;
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
    """Whether a figure is the call of a program that did not change; to compile it may."""
    programs = zip(*(found[name] for name in _PROGRAM), strict=True)
    same = np.array([program in same_programs for program in programs], dtype=bool)
    return (found["kind"] == Kind.TIME) & same


def _judged_by(first: pd.DataFrame, again: pd.DataFrame, is_open: pd.Series) -> pd.DataFrame:
    """The rows of the first rounds, those of open figures replaced by the new ones, if enough."""
    new = first.loc[is_open, FIGURE].merge(again, on=FIGURE).assign(stage=Stage.AGAIN)
    enough = ~_too_few(new, TEST_LEVEL / max(is_open.sum(), 1))
    rows = pd.concat([new[enough], first.assign(stage=Stage.FIRST)]).drop_duplicates(FIGURE)
    return first[FIGURE].merge(rows, on=FIGURE)


def _too_few(found: pd.DataFrame, level: float) -> pd.Series:
    """Whether the rounds are so few that no result could have a p of at most the level."""
    return smallest_p(found["n_before"], found["n_after"]) > level


def _pass_together(p: pd.Series, tested: pd.Series) -> pd.Series:
    """Which of the tested figures pass Benjamini-Hochberg's procedure."""
    passes = pd.Series(False, p.index)
    passes[tested] = stats.false_discovery_control(p[tested].fillna(1.0)) <= TEST_LEVEL
    return passes
