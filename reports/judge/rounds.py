"""Verdicts on the times of two commits that were measured in rounds, at one error rate a report.

First every figure is measured in ``FIRST_ROUNDS`` rounds. Those that could have changed are
still open: they are measured again, in ``AGAIN_ROUNDS`` rounds. Both numbers are fixed before
anything is seen. The new rounds alone are tested, so that the choice of what to measure again
costs nothing: however it is made, Benjamini-Hochberg's procedure over the chosen figures keeps
the false share of the changes that a report names at ``RATE``, and where nothing changed, the
share of the reports that name anything.
"""

from collections.abc import Collection

import numpy as np
import pandas as pd
from scipy import stats

from benchmarks.schema.metrics import Kind
from benchmarks.schema.rounds import Stage
from reports.judge.effects import FIGURE, effects, intervals, smallest_p
from reports.judge.samples import SMALLEST_CHANGE
from reports.judge.verdict import Verdict

__all__ = [
    "AGAIN_ROUNDS",
    "FIRST_ROUNDS",
    "OPEN_LEVEL",
    "RATE",
    "Program",
    "concluded",
    "verdicts",
    "worth_another_look",
]

FIRST_ROUNDS = 8
AGAIN_ROUNDS = 20
# After the first rounds a figure is open if its p is not larger.
OPEN_LEVEL = 0.1
# The false share of the changes that a report names, and of reports that name any for nothing.
RATE = 0.05

_CHANGED = (Verdict.REGRESSED, Verdict.IMPROVED)
_PROGRAM = ["benchmark", "n_cells", "device"]
Program = tuple[str, int, str]


def verdicts(times: pd.DataFrame, same_programs: Collection[Program] = ()) -> pd.DataFrame:
    """The verdict on every figure, and what it cannot exclude.

    Args:
        times: columns of ``RoundTime``, of both stages.
        same_programs: benchmark, n_cells and device where both sides compiled to the same.

    Returns:
        The rows of ``concluded``; ``low`` and ``high``, the 95 % interval of ``ratio``; and
        ``undetected``, where no change was called: the largest change in either direction
        that the interval holds, as a share. No larger change is compatible with the rounds.

    Raises:
        ValueError: nothing was measured, or what ``effects`` refuses.
    """
    if times.empty:
        raise ValueError("times: no rows, nothing was measured")
    rounds = {stage: times[times["stage"] == stage] for stage in Stage}
    found = {stage: effects(rows) for stage, rows in rounds.items()}
    rows = concluded(found[Stage.FIRST], found[Stage.AGAIN], same_programs)
    bounds = pd.concat([intervals(own).assign(stage=stage) for stage, own in rounds.items()])
    rows = rows.merge(bounds, on=[*FIGURE, "stage"], how="left")
    farthest = np.log(rows[["low", "high"]]).abs().max(axis=1, skipna=False)
    return rows.assign(undetected=np.expm1(farthest).mask(rows["verdict"].isin(_CHANGED)))


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


def concluded(
    first: pd.DataFrame, again: pd.DataFrame, same_programs: Collection[Program] = ()
) -> pd.DataFrame:
    """The verdict on every figure.

    Args:
        first, again: ``effects`` of the first rounds, and of those that measured again what
            was open.
        same_programs: as in ``verdicts``.

    Returns:
        The rows of ``effects``, of the ``stage`` that measured a figure last: the size of a
        change is that of the new rounds, since the first ones were selected for being large.
        With ``threshold``, the smallest change that counts, and ``verdict``: regressed or
        improved where the new rounds pass the test and both stages show a change of more than
        the threshold in one direction; undecided where an open figure was not measured again,
        or rounds are too few for any result to pass; noise where only the effect exceeds the
        threshold; unchanged for a smaller effect.
    """
    first = first.reset_index(drop=True)
    is_open = _is_open(first, same_programs)
    rows = _measured_last(first, again, is_open)
    again_measured = rows["stage"] == Stage.AGAIN
    changed = (
        _pass_together(rows["p"].where(again_measured, 1.0), is_open)
        & _is_large(rows)
        & ((rows["ratio"] > 1) == (first["ratio"] > 1))
    )
    n_tested = np.where(is_open, is_open.sum(), 1)
    too_few = smallest_p(rows["n_before"], rows["n_after"]) > RATE / n_tested
    found = np.select(
        [changed & (rows["ratio"] > 1), changed, too_few | (is_open & ~again_measured)],
        [Verdict.REGRESSED, Verdict.IMPROVED, Verdict.UNDECIDED],
        np.where(_is_large(rows), Verdict.NOISE, Verdict.UNCHANGED),
    )
    return rows.assign(threshold=SMALLEST_CHANGE, verdict=found)


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


def _measured_last(first: pd.DataFrame, again: pd.DataFrame, is_open: pd.Series) -> pd.DataFrame:
    """The rows of the first rounds, those of open figures replaced by the new ones."""
    new = first.loc[is_open, FIGURE].merge(again, on=FIGURE).assign(stage=Stage.AGAIN)
    rows = pd.concat([new, first.assign(stage=Stage.FIRST)]).drop_duplicates(FIGURE)
    return first[FIGURE].merge(rows, on=FIGURE)


def _pass_together(p: pd.Series, tested: pd.Series) -> pd.Series:
    """Which of the tested figures pass Benjamini-Hochberg's procedure."""
    passes = pd.Series(False, p.index)
    passes[tested] = stats.false_discovery_control(p[tested].fillna(1.0)) <= RATE
    return passes
