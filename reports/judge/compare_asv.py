"""The comparison of two commits that asv measured in turn."""

from collections.abc import Hashable
from pathlib import Path

import pandas as pd

from benchmarks.schema.metrics import METRICS
from benchmarks.schema.records import Status
from reports.judge.comparison import Comparison
from reports.judge.rules import judge
from reports.judge.samples import significance_of
from reports.judge.verdict import WALL_CLOCK, gates
from reports.sources.asv import read_asv
from reports.sources.frame import DamagedError
from reports.sources.machines import processor_of

__all__ = ["compare_asv"]

# Figures are compared if they were measured on one machine, in one environment.
_PLACE = ["machine", "environment"]


def compare_asv(
    folder: Path, base: str, head: str, *, on_time: bool = False, baseline_renewed: bool = False
) -> Comparison:
    """Judge what asv found out about two commits, one machine and environment at a time.

    Raises:
        DamagedError: there is no place where both were measured at the same sizes.
    """
    read = read_asv(folder)
    places = _measured_places(read.frame, base, head)
    if not places:
        absent = (
            f"{folder}: no results of both {base[:8]} and {head[:8]} at the same sizes; "
            f"`asv continuous --interleave-rounds {base[:8]} {head[:8]}` measures them"
        )
        raise DamagedError("\n".join([*map(str, read.complaints), absent]))
    significance = significance_of(sum(_n_sampled(rows, head) for rows in places.values()))
    parts = []
    for place, rows in places.items():
        before, after = (rows[rows["commit"] == commit] for commit in (base, head))
        earlier = _history(rows[~rows["commit"].isin([base, head])], until=before["date"].max())
        verdicts = judge(before, after, earlier, significance=significance)
        tested = verdicts["p"].notna()
        parts.append(verdicts.assign(tested=tested, **dict(zip(_PLACE, place, strict=True))))
    verdicts = pd.concat(parts, ignore_index=True)
    verdicts["gates"] = gates(verdicts, on_time=on_time, baseline_renewed=baseline_renewed)
    processors = tuple(processor_of(folder, machine) for machine in verdicts["machine"].unique())
    return Comparison(
        base,
        head,
        verdicts,
        read.complaints,
        processors,
        baseline_renewed,
        f"python -m reports compare {base[:8]} {head[:8]} --results {folder}",
        false_alarm_rate=significance * int(verdicts["p"].notna().sum()),
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
