"""The verdicts on two commits, as a page or a command asks for them."""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import pandas as pd

from benchmarks.schema.metrics import Kind
from reports.commits.time_verdicts import FIRST_ROUNDS
from reports.rules.verdicts import GATING, JUDGED, WALL_CLOCK, Answer, Verdict, urgent_first
from reports.sources.measurements import Complaint

__all__ = ["HeldRounds", "JudgedChange"]

# Rows on which a reader need not act are folded away, in this order.
_FOLDED = (
    Verdict.NOISE,
    Verdict.INCOMPARABLE,
    Verdict.CHANGED,
    Verdict.UNDECIDED,
    Verdict.UNCHANGED,
)


class HeldRounds(NamedTuple):
    """How many rounds of either stage were held.

    Attributes:
        first, again: rounds of which both sides were measured.
        again_planned: how many new ones there should be, 0 where nothing was left open.
        minutes_needed: how long all of them take; None where nobody measured that.
    """

    first: int
    again: int
    again_planned: int
    minutes_needed: int | None

    @property
    def complete(self) -> bool:
        """Whether no round is missing."""
        return self.first >= FIRST_ROUNDS and self.again >= self.again_planned

    def __str__(self) -> str:
        """How many rounds of how many were held, and the option that leaves time for all."""
        again = (
            f"{self.again} of {self.again_planned} second rounds were held"
            if self.again_planned
            else "nothing was open for second rounds"
        )
        said = f"{self.first} of {FIRST_ROUNDS} first rounds were held, and {again}."
        if self.complete or self.minutes_needed is None:
            return said
        return f"{said} All of them take --minutes {self.minutes_needed} here."


@dataclass(frozen=True)
class JudgedChange:
    """The verdicts on two commits.

    Attributes:
        verdicts: a row per measurement, with its verdict and whether it ``gates``.
        complaints: what could not be read.
        processor: what was measured on.
        versions: the release of jax, or those of both sides.
        baseline_renewed: whether measurements may vanish, because the head renews the baseline.
        command: what measures and judges the same again.
        held: the rounds that were held.
        on_time: whether times that got worse fail the change, so that all must be judged.
    """

    verdicts: pd.DataFrame
    complaints: tuple[Complaint, ...]
    processor: str
    versions: str
    baseline_renewed: bool
    command: str
    held: HeldRounds
    on_time: bool

    @property
    def gates(self) -> pd.Series:
        """Which rows fail the change."""
        return self.verdicts["gates"]

    @property
    def answer(self) -> Answer:
        """Whether the change passes.

        Unjudged where files are damaged, nothing was measured, or times that decide were not
        measured often enough.
        """
        found, kind = self.verdicts["verdict"], self.verdicts["kind"]
        measured = found.isin([*JUDGED, Verdict.NOISE, *GATING])
        undecided_times = (found == Verdict.UNDECIDED) & kind.isin(WALL_CLOCK)
        missing = self.on_time and undecided_times.any()
        if self.gates.any():
            return Answer.FAILS
        unjudged = self.complaints or missing or not measured.any()
        return Answer.UNJUDGED if unjudged else Answer.PASSES

    @property
    def listed(self) -> pd.DataFrame:
        """What came, went or failed, then what got worse or better, the worst first."""
        rows = self.verdicts[~self.verdicts["verdict"].isin([*_FOLDED, Verdict.ABSENT])]
        return urgent_first(rows)

    @property
    def folded(self) -> pd.DataFrame:
        """The other rows that were judged, first those that a reader may wonder about."""
        rows = self.verdicts[self.verdicts["verdict"].isin(_FOLDED)]
        return rows.sort_values(
            "verdict", key=lambda found: found.map(_FOLDED.index), kind="stable"
        )

    @property
    def n_tested(self) -> int:
        """How many times were judged by a test that can err: it could have named them."""
        return int(self.verdicts["tested"].sum())

    @property
    def undetected(self) -> pd.DataFrame:
        """Per loss and metric, the largest change that could hide where none was seen."""
        rows = self.verdicts.dropna(subset="undetected")
        largest = rows["undetected"].groupby([_losses(rows), rows["metric"]]).max()
        return largest.unstack("metric")

    @property
    def n_skipped(self) -> int:
        """How many rows were skipped on both sides: too many to list where a GPU is absent."""
        return int((self.verdicts["verdict"] == Verdict.ABSENT).sum())

    @property
    def changes(self) -> pd.DataFrame:
        """Mean ratio, range and count of what got worse and better, by kind."""
        rows = self.verdicts[self.verdicts["verdict"].isin([Verdict.REGRESSED, Verdict.IMPROVED])]
        finite = rows[np.isfinite(rows["ratio"].astype(float))]
        ratios = finite.groupby(["verdict", "kind"])["ratio"]
        return ratios.agg(["mean", "min", "max", "count"]).reset_index()

    @property
    def time_per_loss(self) -> pd.Series:
        """Geometric mean of the ratios of time, per loss, where a test could have named them."""
        judged = self.verdicts["verdict"].isin(JUDGED) & self.verdicts["tested"]
        rows = self.verdicts[(self.verdicts["kind"] == Kind.TIME) & judged]
        return np.exp(np.log(rows["ratio"].astype(float)).groupby(_losses(rows)).mean())


def _losses(rows: pd.DataFrame) -> pd.Series:
    return rows["benchmark"].map(lambda name: name.partition(":")[0]).rename("loss")
