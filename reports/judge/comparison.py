"""The verdicts on two commits, as a page or a command asks for them."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from benchmarks.schema.metrics import Kind
from reports.judge.verdict import GATING, JUDGED, Answer, Verdict, urgent_first
from reports.sources.frame import Complaint

__all__ = ["Comparison"]

# Rows on which a reader need not act are folded away, in this order.
_FOLDED = (
    Verdict.NOISE,
    Verdict.INCOMPARABLE,
    Verdict.CHANGED,
    Verdict.UNDECIDED,
    Verdict.UNCHANGED,
)


@dataclass(frozen=True)
class Comparison:
    """The verdicts on two commits.

    Attributes:
        base, head: the commits' full names.
        verdicts: the rows of ``judge``, with ``machine`` and ``environment`` of each, and
            whether it ``gates``.
        complaints: what could not be read.
        processors: what the figures were measured on.
        baseline_renewed: whether figures may vanish, because the head renews the baseline.
        command: what measures and judges the same again.
        false_alarm_rate: the share of reports that name a changed time by chance, at most.
    """

    base: str
    head: str
    verdicts: pd.DataFrame
    complaints: tuple[Complaint, ...]
    processors: tuple[str, ...]
    baseline_renewed: bool
    command: str
    false_alarm_rate: float

    @property
    def gates(self) -> pd.Series:
        """Which rows fail the change."""
        return self.verdicts["gates"]

    @property
    def answer(self) -> Answer:
        """Whether the change passes; unjudged where files are damaged or nothing was measured."""
        measured = self.verdicts["verdict"].isin([*JUDGED, Verdict.NOISE, *GATING])
        if self.gates.any():
            return Answer.FAILS
        return Answer.UNJUDGED if self.complaints or not measured.any() else Answer.PASSES

    @property
    def listed(self) -> pd.DataFrame:
        """What came, went or failed, then what got worse or better, the worst first."""
        rows = self.verdicts[~self.verdicts["verdict"].isin([*_FOLDED, Verdict.ABSENT])]
        return urgent_first(rows)

    @property
    def folded(self) -> pd.DataFrame:
        """The other rows that were judged, first those that a reader may wonder about."""
        rows = self.verdicts[self.verdicts["verdict"].isin(_FOLDED) & ~self._unsampled]
        return rows.sort_values(
            "verdict", key=lambda found: found.map(_FOLDED.index), kind="stable"
        )

    @property
    def n_unjudged(self) -> int:
        """How many wall-clock figures have one sample on a side, and so never get a verdict."""
        return int(self._unsampled.sum())

    @property
    def _unsampled(self) -> pd.Series:
        one = self.verdicts[["n_before", "n_after"]].min(axis=1) == 1
        return one & (self.verdicts["verdict"] == Verdict.UNDECIDED)

    @property
    def n_tested(self) -> int:
        """How many figures were judged by a test that can err."""
        return int(self.verdicts["p"].notna().sum())

    @property
    def in_rounds(self) -> bool:
        """Whether the times were measured in rounds, with a second look at what changed."""
        return "measured_by" in self.verdicts

    @property
    def undetected(self) -> pd.DataFrame:
        """Per loss and metric, the largest change that could hide where none was seen."""
        rows = self.verdicts.dropna(subset="undetected")
        largest = rows["undetected"].groupby([_losses(rows), rows["metric"]]).max()
        return largest.unstack("metric")

    @property
    def n_skipped(self) -> int:
        """How many figures were skipped on both sides: too many to list where a GPU is absent."""
        return int((self.verdicts["verdict"] == Verdict.ABSENT).sum())

    @property
    def changes(self) -> pd.DataFrame:
        """Mean ratio, range and count of what got worse and better, by kind of figure."""
        rows = self.verdicts[self.verdicts["verdict"].isin([Verdict.REGRESSED, Verdict.IMPROVED])]
        finite = rows[np.isfinite(rows["ratio"].astype(float))]
        ratios = finite.groupby(["verdict", "kind"])["ratio"]
        return ratios.agg(["mean", "min", "max", "count"]).reset_index()

    @property
    def time_per_loss(self) -> pd.Series:
        """Geometric mean of the ratios of time, per loss, where they could be judged."""
        judged = self.verdicts["verdict"].isin(JUDGED)
        rows = self.verdicts[(self.verdicts["kind"] == Kind.TIME) & judged]
        return np.exp(np.log(rows["ratio"].astype(float)).groupby(_losses(rows)).mean())


def _losses(rows: pd.DataFrame) -> pd.Series:
    return rows["benchmark"].map(lambda name: name.partition(":")[0]).rename("loss")
