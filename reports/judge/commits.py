"""Two commits against each other: measured in turn by asv, judged, put into words."""

import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from benchmarks.schema.metrics import METRICS
from reports.judge.verdict import DETERMINISTIC, GATING, JUDGED, gates, judge, sentence
from reports.sources.asv import read_asv
from reports.sources.frame import Complaint, DamagedError

__all__ = ["RESULTS", "Comparison", "compare", "described", "measure", "resolve", "was_measured"]

RESULTS = Path(".asv/results")
# Rows on which a reader need not act are folded away, in this order.
_FOLDED = ("noise", "changed", "insufficient history", "unchanged")
# And these, as many as there are figures of a device that is absent, are counted only.
_COUNTED = "skipped on both sides"


@dataclass(frozen=True)
class Comparison:
    """The verdicts on two commits.

    Attributes:
        base, head: the commits' full names.
        verdicts: the rows of ``judge``, and the ``environment`` of each.
        complaints: what could not be read.
        gates: which rows fail the change.
    """

    base: str
    head: str
    verdicts: pd.DataFrame
    complaints: tuple[Complaint, ...]
    gates: pd.Series

    @property
    def headline(self) -> str:
        """The answer in one sentence."""
        return sentence(self.verdicts)

    @property
    def listed(self) -> pd.DataFrame:
        """What came, went or failed, then what got worse or better, the worst first."""
        rows = self.verdicts[~self.verdicts["verdict"].isin([*_FOLDED, _COUNTED])]
        order = {"failing": 0, "removed": 1, "skipped": 2, "added": 3, "regressed": 4}
        rank = rows["verdict"].map(order).fillna(5)
        away = (np.log(rows["ratio"].astype(float).replace(0, np.nan))).abs().fillna(np.inf)
        return rows.assign(rank=rank, away=-away).sort_values(["rank", "away"]).iloc[:, :-2]

    @property
    def folded(self) -> pd.DataFrame:
        """What else was measured, first what a reader may wonder about."""
        rows = self.verdicts[self.verdicts["verdict"].isin(_FOLDED)]
        return rows.sort_values(
            "verdict", key=lambda found: found.map(_FOLDED.index), kind="stable"
        )

    @property
    def n_skipped(self) -> int:
        """How many figures were skipped on both sides."""
        return int((self.verdicts["verdict"] == _COUNTED).sum())

    @property
    def table(self) -> pd.DataFrame:
        """Mean ratio, range and count of what got worse and better, by kind of figure."""
        rows = self.verdicts[self.verdicts["verdict"].isin(["regressed", "improved"])]
        finite = rows[np.isfinite(rows["ratio"].astype(float))]
        ratios = finite.groupby(["verdict", "kind"])["ratio"]
        return ratios.agg(["mean", "min", "max", "count"]).reset_index()

    @property
    def per_loss(self) -> pd.Series:
        """Geometric mean of the ratios of time, per loss, where they could be judged."""
        judged = self.verdicts["verdict"].isin(JUDGED)
        rows = self.verdicts[(self.verdicts["kind"] == "time") & judged]
        losses = rows["benchmark"].str.partition(":")[0]
        return np.exp(np.log(rows["ratio"].astype(float)).groupby(losses).mean())

    @property
    def exit_code(self) -> int:
        """0 nothing gated regressed, 1 something did, 2 no judgement was possible."""
        measured = self.verdicts["verdict"].isin(["unchanged", "improved", "noise", *GATING])
        if self.gates.any():
            return 1
        return 2 if self.complaints or not measured.any() else 0


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


def measure(base: str, head: str, environment: Mapping[str, str]) -> None:
    """Let asv measure both commits in turn; what it finds lies in its results folder.

    Raises:
        DamagedError: asv could not build or run a commit.
    """
    subprocess.run([sys.executable, "-m", "asv", "machine", "--yes"], check=True)
    command = [sys.executable, "-m", "asv", "continuous", "--interleave-rounds", base, head]
    code = subprocess.run(command, env=dict(environment)).returncode
    if code not in (0, 1, 2):  # 1: got worse, 2: a benchmark failed; both are ours to judge
        raise DamagedError(f"asv continuous ended with {code}")


def was_measured(folder: Path, base: str, head: str) -> bool:
    """Whether the folder holds samples of both commits, taken in one environment."""
    if not folder.exists():
        return False
    frame = read_asv(folder).frame
    timed = frame[(frame["metric"] == "call_seconds") & (frame["samples"].map(len) > 1)]
    measured = [set(timed[timed["commit"] == commit]["environment"]) for commit in (base, head)]
    return bool(measured[0] & measured[1])


def compare(folder: Path, base: str, head: str, *, on_time: bool = False) -> Comparison:
    """Judge what asv found out about two commits, environment by environment.

    Raises:
        DamagedError: there is no environment in which both were measured.
    """
    read = read_asv(folder)
    sides = [read.frame[read.frame["commit"] == commit] for commit in (base, head)]
    common = sorted(set(sides[0]["environment"]) & set(sides[1]["environment"]))
    if not common:
        raise DamagedError(f"{folder}: no results of both {base[:8]} and {head[:8]}")
    parts = []
    for environment in common:
        before, after = (rows[rows["environment"] == environment] for rows in sides)
        verdicts = judge(before, after, _history(read.frame, environment, before))
        parts.append(verdicts.assign(environment=environment))
    verdicts = pd.concat(parts, ignore_index=True)
    failing = gates(verdicts, on_time=on_time)
    return Comparison(base, head, verdicts, read.complaints, failing)


def _history(frame: pd.DataFrame, environment: str, before: pd.DataFrame) -> pd.DataFrame:
    """Wall-clock figures of the commits up to the base, oldest first."""
    kinds = frame["metric"].map(lambda metric: METRICS[metric].kind)
    rows = frame[
        (frame["environment"] == environment)
        & (frame["status"] == "ok")
        & ~kinds.isin(DETERMINISTIC)
        & (frame["date"] <= before["date"].max())
    ]
    return rows.sort_values("date", kind="stable")


def described(verdicts: pd.DataFrame) -> list[dict[str, Any]]:
    """Rows as the pages show them: value, spread and number of samples on both sides."""
    return [
        {**row._asdict(), "unstable": _unstable(row)} for row in verdicts.itertuples(index=False)
    ]


def _unstable(row: Any) -> bool:
    """Spread over a tenth of the median, or less than a millisecond."""
    if METRICS[row.metric].unit != "s" or pd.isna(row.after_iqr):
        return False
    spreads = (row.before_iqr > 0.1 * row.before) or (row.after_iqr > 0.1 * row.after)
    return bool(spreads or min(row.before, row.after) < 1e-3)
