"""The comparison of a published sweep with the same sweep measured again, row by row."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import pandas as pd

from benchmarks.schema.metrics import METRICS, Kind
from benchmarks.schema.records import Status
from benchmarks.schema.tolerances import LEAST_VALUE, TOLERANCES
from reports.reproduction.differences import (
    differences,
    differing_data,
    is_absent,
    machines,
    not_asked_for,
    other_cells,
)
from reports.reproduction.expectations import (
    Differences,
    Promise,
    Promised,
    promise_of_data,
    promise_of_figure,
)
from reports.reproduction.speeds import Speed, speeds
from reports.rules.comparable import IncomparableError
from reports.rules.counters import mark_unmeasured, tolerated
from reports.rules.verdicts import Answer
from reports.sources.measurements import KEY
from reports.sources.sweep_file import Sweep

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
        differences: what differs between both sweeps.
        machines: how the machines are related.
        differing_data: names of the data sets whose digests differ.
    """

    rows: pd.DataFrame
    differences: Differences
    machines: str
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
    def not_promised(self) -> dict[str, int]:
        """How many rows are not promised here, by the reason, the most frequent first."""
        rows = self.rows[self.rows["outcome"] == Outcome.NOT_PROMISED]
        return dict(Counter(rows["reason"]).most_common())

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
    """Judge every data set and every figure of a sweep that was measured again.

    Raises:
        IncomparableError: the sweep was not asked to measure all of the published one.
    """
    if lacking := not_asked_for(published, again):
        raise IncomparableError(f"{again.path}: not a sweep of the report, {'; '.join(lacking)}")
    found, differing = differences(published, again), differing_data(published, again)
    then = published.frame[_MEASURED]
    now = mark_unmeasured(published.frame, again.frame)[_MEASURED]
    merged = pd.concat(
        [
            _merged(_data(published), _data(again)).assign(kind=DATA),
            _merged(then, now).assign(kind=lambda rows: rows["metric"].map(_kind)),
        ],
        ignore_index=True,
    )
    merged["absent"] = [is_absent(name, again.environment) for name in merged["device"]]
    judged = [_judge(row, found, differing) for row in merged.itertuples(index=False)]
    rows = merged[[*KEY, "kind"]].assign(published=merged["value_then"], again=merged["value_now"])
    rows[["promise", "outcome", "reason"]] = judged
    return Reproduction(rows, found, machines(published, again), differing)


def _kind(metric: str) -> Kind:
    return METRICS[metric].kind


def _data(sweep: Sweep) -> pd.DataFrame:
    """The digests of a sweep's cells as rows of measurements."""
    rows = [(name, "", 0, "", DATA, digest) for name, digest in sweep.data_digests.items()]
    frame = pd.DataFrame(rows, columns=[*KEY, "value"])
    return frame.assign(status=Status.OK, detail="")


def _merged(then: pd.DataFrame, now: pd.DataFrame) -> pd.DataFrame:
    return then.merge(now, on=KEY, how="outer", suffixes=("_then", "_now"))


def _judge(
    row: Any, differences: Differences, differing: Sequence[str]
) -> tuple[Promise, Outcome, str]:
    """What a row promises, what became of it, and why, where that is not obvious."""
    promised = _promised(row, differences, differing)
    if promised.promise == Promise.NONE:
        return promised.promise, Outcome.NOT_PROMISED, promised.reason
    if row.status_now != Status.OK:
        missing = pd.isna(row.status_now)
        reason = "missing now" if missing else f"{row.status_now} now: {row.detail_now}"
        return promised.promise, Outcome.BROKEN, reason
    holds, reason = _holds(row, promised.promise)
    return promised.promise, Outcome.KEPT if holds else Outcome.BROKEN, reason


def _promised(row: Any, differences: Differences, differing: Sequence[str]) -> Promised:
    """The promise of a figure that was measured and published, if the device is here."""
    if row.status_then != Status.OK:
        reason = "not published" if pd.isna(row.status_then) else "not measured then"
        return Promised(Promise.NONE, reason)
    if row.status_now == Status.SKIPPED and row.absent:
        return Promised(Promise.NONE, f"skipped here: {row.detail_now}")
    if row.kind == DATA:
        return promise_of_data(differences)
    if row.kind == Kind.ACCURACY and not tolerated(row.metric, row.value_then):
        return Promised(Promise.NONE, "not within its tolerance then")
    cells = other_cells(differing, row.source, row.n_cells)
    return promise_of_figure(row.metric, differences._replace(cells=cells))


def _holds(row: Any, promise: Promise) -> tuple[bool, str]:
    """Whether a figure that was measured both times keeps its promise, and the tolerance."""
    if promise != Promise.TOLERANCE:
        return row.value_then == row.value_now, ""
    if row.kind == Kind.ACCURACY:
        return tolerated(row.metric, row.value_now), f"tolerance {TOLERANCES[row.metric]:g}"
    tolerance = TOLERANCES["value_error"] * max(abs(row.value_then), LEAST_VALUE)
    return abs(row.value_now - row.value_then) <= tolerance, f"tolerance {tolerance:.2g}"
