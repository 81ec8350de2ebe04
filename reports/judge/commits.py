"""The comparison of two commits, which asv measured in turn."""

import subprocess
from collections.abc import Hashable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from benchmarks.schema.metrics import METRICS, Kind
from benchmarks.schema.records import Status
from reports.judge.rules import judge
from reports.judge.samples import SIGNIFICANCE, significance_of
from reports.judge.verdict import (
    GATING,
    JUDGED,
    WALL_CLOCK,
    Answer,
    Verdict,
    gates,
    urgent_first,
)
from reports.sources.asv import read_asv
from reports.sources.frame import Complaint, DamagedError
from reports.sources.machines import processor_of

__all__ = [
    "RESULTS",
    "Comparison",
    "compare",
    "renews_baseline",
    "resolve",
]

RESULTS = Path(".asv/results")
_BASELINES = "reports/baselines"
# Figures are compared if they were measured on one machine, in one environment.
_PLACE = ["machine", "environment"]
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
        significance: the p below which a difference between times is no chance.
    """

    base: str
    head: str
    verdicts: pd.DataFrame
    complaints: tuple[Complaint, ...]
    processors: tuple[str, ...]
    baseline_renewed: bool
    significance: float = SIGNIFICANCE

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
    def n_expected_by_chance(self) -> float:
        """How many of the tests are expected to alarm, at most, if nothing changed."""
        return self.n_tested * self.significance

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
        losses = rows["benchmark"].map(lambda name: name.partition(":")[0])
        return np.exp(np.log(rows["ratio"].astype(float)).groupby(losses).mean())


def resolve(revision: str) -> str:
    """The full name of a commit.

    Raises:
        DamagedError: there is no such commit.
    """
    command = ["git", "rev-parse", "--verify", "--quiet", f"{revision}^{{commit}}"]
    found = subprocess.run(command, capture_output=True, text=True)
    if found.returncode:
        raise DamagedError(f"{revision!r} names no commit of this repository")
    return found.stdout.strip()


def renews_baseline(base: str, head: str) -> bool:
    """Whether the baselines that the gate holds differ between two commits.

    Raises:
        DamagedError: git cannot tell.
    """
    command = ["git", "diff", "--quiet", base, head, "--", f":/{_BASELINES}"]
    found = subprocess.run(command, capture_output=True, text=True)
    if found.returncode not in (0, 1):
        raise DamagedError(f"git diff: {found.stderr.strip()}")
    return found.returncode == 1


def compare(
    folder: Path, base: str, head: str, *, on_time: bool = False, baseline_renewed: bool = False
) -> Comparison:
    """Judge what asv found out about two commits, one machine and environment at a time.

    Raises:
        DamagedError: there is no place where both were measured at the same sizes.
    """
    read = read_asv(folder)
    places = _measured_places(read.frame, base, head)
    if not places:
        raise DamagedError(
            f"{folder}: no results of both {base[:8]} and {head[:8]} at the same sizes; "
            f"`asv continuous --interleave-rounds {base[:8]} {head[:8]}` measures them"
        )
    significance = significance_of(sum(_n_sampled(rows, head) for rows in places.values()))
    parts = []
    for place, rows in places.items():
        before, after = (rows[rows["commit"] == commit] for commit in (base, head))
        earlier = _history(rows[~rows["commit"].isin([base, head])], until=before["date"].max())
        verdicts = judge(before, after, earlier, significance=significance)
        parts.append(verdicts.assign(**dict(zip(_PLACE, place, strict=True))))
    verdicts = pd.concat(parts, ignore_index=True)
    verdicts["gates"] = gates(verdicts, on_time=on_time, baseline_renewed=baseline_renewed)
    processors = tuple(processor_of(folder, machine) for machine in verdicts["machine"].unique())
    return Comparison(
        base, head, verdicts, read.complaints, processors, baseline_renewed, significance
    )


def _measured_places(
    frame: pd.DataFrame, base: str, head: str
) -> dict[tuple[Hashable, ...], pd.DataFrame]:
    """All rows by machine and environment, of those where both commits have the same sizes.

    Another tier measures other sizes: against it, figures would look added or removed.
    """
    found = {}
    for place, rows in frame.groupby(_PLACE):
        before, after = (set(rows[rows["commit"] == commit]["n_cells"]) for commit in (base, head))
        if before and before == after:
            found[place] = rows
    return found


def _n_sampled(rows: pd.DataFrame, commit: str) -> int:
    return int((rows[rows["commit"] == commit]["samples"].map(len) > 1).sum())


def _history(rows: pd.DataFrame, until: str) -> pd.DataFrame:
    """Wall-clock figures of the commits up to a date, oldest first."""
    kinds = rows["metric"].map(lambda metric: METRICS[metric].kind)
    measured = rows[
        (rows["status"] == Status.OK) & kinds.isin(WALL_CLOCK) & (rows["date"] <= until)
    ]
    return measured.sort_values("date", kind="stable")
