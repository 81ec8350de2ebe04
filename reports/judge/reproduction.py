"""The comparison of a published sweep with the same sweep measured again, row by row."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import pandas as pd

from benchmarks.schema.metrics import METRICS, Kind
from benchmarks.schema.records import Status
from benchmarks.schema.tolerances import LEAST_VALUE, TOLERANCES
from reports.judge.promises import (
    Conditions,
    Promise,
    Promised,
    promise_of_data,
    promise_of_figure,
)
from reports.judge.relation import Machines, conditions, differing_data, machines, same_cells
from reports.judge.rules import mark_unmeasured, tolerated
from reports.judge.speeds import Speed, speeds
from reports.judge.verdict import Answer
from reports.sources.frame import KEY
from reports.sources.sweep import Sweep

__all__ = ["DATA", "Outcome", "Reproduction", "reproduced"]

# Kind and metric of the rows of data sets.
DATA = "data"
_MEASURED = [*KEY, "value", "status", "detail"]


class Outcome(StrEnum):
    """What became of what a figure promised."""

    KEPT = "kept"
    BROKEN = "broken"
    NOT_PROMISED = "not promised"


@dataclass(frozen=True)
class Reproduction:
    """A published sweep beside the same sweep measured again.

    Attributes:
        rows: every data set, then every figure of either sweep, with ``KEY``, ``kind``,
            ``published``, ``again``, ``promise``, ``outcome`` and the ``reason``.
        same: what is the same of both sweeps.
        machines: how the machines are related.
        differing_data: names of the data sets whose digests differ.
    """

    rows: pd.DataFrame
    same: Conditions
    machines: Machines
    differing_data: list[str]

    @property
    def broken(self) -> pd.DataFrame:
        """The promised rows that do not hold."""
        return self.rows[self.rows["outcome"] == Outcome.BROKEN]

    @property
    def n_promised(self) -> int:
        """How many rows are promised here."""
        return int((self.rows["outcome"] != Outcome.NOT_PROMISED).sum())

    @property
    def speeds(self) -> list[Speed]:
        """The times now over those then."""
        return speeds(self.rows)

    @property
    def answer(self) -> Answer:
        """Fails for a broken promise alone; digests of data that agree make no judgement."""
        if not self.broken.empty:
            return Answer.FAILS
        kept = (self.rows["outcome"] == Outcome.KEPT) & (self.rows["kind"] != DATA)
        return Answer.PASSES if kept.any() else Answer.UNJUDGED


def reproduced(published: Sweep, again: Sweep) -> Reproduction:
    """Judge every data set and every figure of a sweep that was measured again."""
    same, differing = conditions(published, again), differing_data(published, again)
    then = published.frame[_MEASURED]
    now = mark_unmeasured(published.frame, again.frame)[_MEASURED]
    merged = pd.concat(
        [
            _merged(_data(published), _data(again)).assign(kind=DATA),
            _merged(then, now).assign(kind=lambda rows: rows["metric"].map(_kind)),
        ],
        ignore_index=True,
    )
    judged = [_judge(row, same, differing) for row in merged.itertuples(index=False)]
    rows = merged[[*KEY, "kind"]].assign(published=merged["value_then"], again=merged["value_now"])
    rows[["promise", "outcome", "reason"]] = judged
    return Reproduction(rows, same, machines(published, again), differing)


def _kind(metric: str) -> Kind:
    return METRICS[metric].kind


def _data(sweep: Sweep) -> pd.DataFrame:
    """The digests of a sweep's cells as rows of measurements."""
    rows = [(name, "", 0, "", DATA, digest) for name, digest in sweep.data_digests.items()]
    frame = pd.DataFrame(rows, columns=[*KEY, "value"])
    return frame.assign(status=Status.OK, detail="")


def _merged(then: pd.DataFrame, now: pd.DataFrame) -> pd.DataFrame:
    return then.merge(now, on=KEY, how="outer", suffixes=("_then", "_now"))


def _judge(row: Any, same: Conditions, differing: Sequence[str]) -> tuple[Promise, Outcome, str]:
    """What a row promises, what became of it, and why, where that is not obvious."""
    promised = _promised(row, same, differing)
    if promised.promise == Promise.NONE:
        return promised.promise, Outcome.NOT_PROMISED, promised.reason
    if row.status_now != Status.OK:
        reason = (
            f"failed now: {row.detail_now}" if row.status_now == Status.FAILED else "missing now"
        )
        return promised.promise, Outcome.BROKEN, reason
    holds, reason = _holds(row, promised.promise)
    return promised.promise, Outcome.KEPT if holds else Outcome.BROKEN, reason


def _promised(row: Any, same: Conditions, differing: Sequence[str]) -> Promised:
    """The promise of a figure that was measured and published, if this machine can measure it."""
    if row.status_then != Status.OK:
        reason = "not published" if pd.isna(row.status_then) else "not measured then"
        return Promised(Promise.NONE, reason)
    if row.status_now == Status.SKIPPED:
        return Promised(Promise.NONE, f"skipped here: {row.detail_now}")
    if row.kind == DATA:
        return promise_of_data(same)
    if row.kind == Kind.ACCURACY and not tolerated(row.metric, row.value_then):
        return Promised(Promise.NONE, "not within its tolerance then")
    cells = same_cells(differing, row.source, row.n_cells)
    return promise_of_figure(row.metric, same._replace(cells=cells))


def _holds(row: Any, promise: Promise) -> tuple[bool, str]:
    """Whether a figure that was measured both times keeps its promise, and the tolerance."""
    if promise != Promise.TOLERANCE:
        return row.value_then == row.value_now, ""
    if row.kind == Kind.ACCURACY:
        return tolerated(row.metric, row.value_now), f"tolerance {TOLERANCES[row.metric]:g}"
    tolerance = TOLERANCES["value_error"] * max(abs(row.value_then), LEAST_VALUE)
    return abs(row.value_now - row.value_then) <= tolerance, f"tolerance {tolerance:.2g}"
