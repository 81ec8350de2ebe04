"""The comparison of two commits, which asv measures in turn."""

import subprocess
import sys
from collections.abc import Hashable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from benchmarks.schema.metrics import METRICS, Kind
from benchmarks.schema.records import Status
from reports.judge.rules import judge
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
    "measure",
    "renews_baseline",
    "resolve",
    "was_measured",
]

RESULTS = Path(".asv/results")
_BASELINES = "reports/baselines"
# Figures are compared if they were measured on one machine, in one environment.
_PLACE = ["machine", "environment"]
# Rows on which a reader need not act are folded away, in this order.
_FOLDED = (Verdict.NOISE, Verdict.CHANGED, Verdict.UNDECIDED, Verdict.UNCHANGED)


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
    """

    base: str
    head: str
    verdicts: pd.DataFrame
    complaints: tuple[Complaint, ...]
    processors: tuple[str, ...]
    baseline_renewed: bool

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
        """The other rows that were measured, first those that a reader may wonder about."""
        rows = self.verdicts[self.verdicts["verdict"].isin(_FOLDED)]
        return rows.sort_values(
            "verdict", key=lambda found: found.map(_FOLDED.index), kind="stable"
        )

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


def measure(base: str, head: str, environment: Mapping[str, str]) -> None:
    """Let asv measure both commits in turn; what it finds lies in its results folder.

    Raises:
        DamagedError: asv could not build or run a commit.
    """
    _describe_machine()
    command = [sys.executable, "-m", "asv", "continuous", "--interleave-rounds", base, head]
    code = subprocess.run(command, env=dict(environment)).returncode
    if code not in (0, 1, 2):  # 1: got worse, 2: a benchmark failed; both are ours to judge
        raise DamagedError(f"asv continuous ended with {code}")


def _describe_machine() -> None:
    """Write down what asv wants to know of this machine, without the questions it prints.

    Raises:
        DamagedError: asv could not do it.
    """
    command = [sys.executable, "-m", "asv", "machine", "--yes"]
    found = subprocess.run(command, capture_output=True, text=True, stdin=subprocess.DEVNULL)
    if found.returncode:
        said = (found.stderr or found.stdout).strip() or f"it ended with {found.returncode}"
        raise DamagedError(f"asv machine: {said.splitlines()[-1]}")


def was_measured(folder: Path, base: str, head: str) -> bool:
    """Whether the folder holds samples of both commits, from one place and of the same sizes.

    Another tier measures other sizes: against it, figures would look added or removed.
    """
    if not folder.exists():
        return False
    frame = read_asv(folder).frame
    return bool(_sampled(frame, base) & _sampled(frame, head))


def _sampled(frame: pd.DataFrame, commit: str) -> set[tuple[Hashable, ...]]:
    """Machine, environment and all sizes, where calls of a commit were sampled."""
    rows = frame[frame["commit"] == commit]
    calls = rows[(rows["metric"] == "call_seconds") & (rows["samples"].map(len) > 1)]
    sizes = rows.groupby(_PLACE)["n_cells"].apply(frozenset)
    return {(*place, sizes[place]) for place in calls.groupby(_PLACE).groups}


def compare(
    folder: Path, base: str, head: str, *, on_time: bool = False, baseline_renewed: bool = False
) -> Comparison:
    """Judge what asv found out about two commits, one machine and environment at a time.

    Raises:
        DamagedError: there is no place where both were measured.
    """
    read = read_asv(folder)
    places = read.frame.groupby(_PLACE)
    parts = []
    for place, rows in places:
        before, after = (rows[rows["commit"] == commit] for commit in (base, head))
        if before.empty or after.empty:
            continue
        verdicts = judge(before, after, _history(rows, until=before["date"].max()))
        parts.append(verdicts.assign(**dict(zip(_PLACE, place, strict=True))))
    if not parts:
        raise DamagedError(f"{folder}: no results of both {base[:8]} and {head[:8]}")
    verdicts = pd.concat(parts, ignore_index=True)
    verdicts["gates"] = gates(verdicts, on_time=on_time, baseline_renewed=baseline_renewed)
    processors = tuple(processor_of(folder, machine) for machine in verdicts["machine"].unique())
    return Comparison(base, head, verdicts, read.complaints, processors, baseline_renewed)


def _history(rows: pd.DataFrame, until: str) -> pd.DataFrame:
    """Wall-clock figures of the commits up to a date, oldest first."""
    kinds = rows["metric"].map(lambda metric: METRICS[metric].kind)
    measured = rows[
        (rows["status"] == Status.OK) & kinds.isin(WALL_CLOCK) & (rows["date"] <= until)
    ]
    return measured.sort_values("date", kind="stable")
