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
    Expectation,
    Expected,
    expectation_of_data,
    expectation_of_measurement,
)
from reports.rules.counters import mark_unmeasured, tolerated
from reports.rules.verdicts import Answer
from reports.sources.measurements import KEY, IncomparableError
from reports.sources.sweep_file import ReadSweep

__all__ = ["DATA", "Outcome", "Reproduction", "judge_reproduction"]

# Kind and metric of the rows of data sets.
DATA = "data"
_MEASURED = [*KEY, "value", "status", "detail"]
_TIMES = ("lower_bound_seconds", "lower_bound_ratio", "call_seconds", "compile_seconds")
_QUARTILES = ["count", "25%", "50%", "75%"]


class Outcome(StrEnum):
    """Whether a measurement is as it is expected to be."""

    MET = "met"
    NOT_MET = "not met"
    NOT_EXPECTED = "not expected"


@dataclass(frozen=True)
class Reproduction:
    """A published sweep beside the same sweep measured again.

    Attributes:
        rows: every data set, then every measurement of either sweep, with ``KEY``, ``kind``,
            ``published``, ``again``, ``expectation``, ``outcome`` and the ``reason``.
        differences: what differs between both sweeps.
        machines: how the machines are related.
        differing_data: names of the data sets whose digests differ.
    """

    rows: pd.DataFrame
    differences: Differences
    machines: str
    differing_data: list[str]

    @property
    def not_met(self) -> pd.DataFrame:
        """The rows that are expected to agree and do not."""
        return self.rows[self.rows["outcome"] == Outcome.NOT_MET]

    @property
    def n_expected(self) -> int:
        """How many rows are expected to agree here."""
        return int((self.rows["outcome"] != Outcome.NOT_EXPECTED).sum())

    @property
    def not_expected(self) -> dict[str, int]:
        """How many rows are not expected to agree here, by the reason, the most frequent first."""
        rows = self.rows[self.rows["outcome"] == Outcome.NOT_EXPECTED]
        return dict(Counter(rows["reason"]).most_common())

    @property
    def time_ratios(self) -> pd.DataFrame:
        """Times now over those then, above 1 where it takes longer: number and quartiles by metric.

        They inform, and decide nothing. The lower bounds say what the machine alone changed, the
        ratios to them what the losses did.
        """
        both = self.rows[self.rows["metric"].isin(_TIMES)].dropna(subset=["published", "again"])
        ratios = both["again"].astype(float) / both["published"].astype(float)
        found = ratios.groupby(both["metric"]).describe()
        return found.loc[[time for time in _TIMES if time in found.index], _QUARTILES]

    @property
    def answer(self) -> Answer:
        """Fails where an expectation is not met; digests of data that agree make no judgement."""
        if not self.not_met.empty:
            return Answer.FAILS
        met = (self.rows["outcome"] == Outcome.MET) & (self.rows["kind"] != DATA)
        return Answer.PASSES if met.any() else Answer.UNJUDGED


def judge_reproduction(published: ReadSweep, again: ReadSweep) -> Reproduction:
    """Judge every data set and every measurement of a sweep that was measured again.

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
    rows[["expectation", "outcome", "reason"]] = judged
    return Reproduction(rows, found, machines(published, again), differing)


def _kind(metric: str) -> Kind:
    return METRICS[metric].kind


def _data(sweep: ReadSweep) -> pd.DataFrame:
    """The digests of a sweep's cells as rows of measurements."""
    rows = [(name, "", 0, "", DATA, digest) for name, digest in sweep.data_digests.items()]
    frame = pd.DataFrame(rows, columns=[*KEY, "value"])
    return frame.assign(status=Status.OK, detail="")


def _merged(then: pd.DataFrame, now: pd.DataFrame) -> pd.DataFrame:
    return then.merge(now, on=KEY, how="outer", suffixes=("_then", "_now"))


def _judge(
    row: Any, differences: Differences, differing: Sequence[str]
) -> tuple[Expectation, Outcome, str]:
    """What is expected of a row, whether it is met, and why, where that is not obvious."""
    expected = _expected(row, differences, differing)
    if expected.expectation == Expectation.NONE:
        return expected.expectation, Outcome.NOT_EXPECTED, expected.reason
    if row.status_now != Status.OK:
        missing = pd.isna(row.status_now)
        reason = "missing now" if missing else f"{row.status_now} now: {row.detail_now}"
        return expected.expectation, Outcome.NOT_MET, reason
    agrees, reason = _agrees(row, expected.expectation)
    return expected.expectation, Outcome.MET if agrees else Outcome.NOT_MET, reason


def _expected(row: Any, differences: Differences, differing: Sequence[str]) -> Expected:
    """What is expected of a row that was measured and published, if the device is here."""
    if row.status_then != Status.OK:
        reason = "not published" if pd.isna(row.status_then) else "not measured then"
        return Expected(Expectation.NONE, reason)
    if row.status_now == Status.SKIPPED and row.absent:
        return Expected(Expectation.NONE, f"skipped here: {row.detail_now}")
    if row.kind == DATA:
        return expectation_of_data(differences)
    if row.kind == Kind.ACCURACY and not tolerated(row.metric, row.value_then):
        return Expected(Expectation.NONE, "not within its tolerance then")
    cells = other_cells(differing, row.source, row.n_cells)
    return expectation_of_measurement(row.metric, differences._replace(cells=cells))


def _agrees(row: Any, expectation: Expectation) -> tuple[bool, str]:
    """Whether a row that was measured both times agrees as expected, and the tolerance."""
    if expectation != Expectation.TOLERANCE:
        return row.value_then == row.value_now, ""
    if row.kind == Kind.ACCURACY:
        return tolerated(row.metric, row.value_now), f"tolerance {TOLERANCES[row.metric]:g}"
    tolerance = TOLERANCES["value_error"] * max(abs(row.value_then), LEAST_VALUE)
    return abs(row.value_now - row.value_then) <= tolerance, f"tolerance {tolerance:.2g}"
