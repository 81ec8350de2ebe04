"""What the page says first: did every loss agree with its reference, and at what cost."""

from dataclasses import dataclass

import pandas as pd

from benchmarks.schema.records import Source
from benchmarks.schema.suite import LOSSES
from benchmarks.schema.tolerances import TOLERANCES
from reports.sources.results import Results
from reports.sources.sweep import Sweep

__all__ = ["Agreement", "agreement", "cost_table", "headline", "holds", "problems"]


@dataclass(frozen=True)
class Agreement:
    """The worst errors of one loss; None where nothing was measured."""

    loss: str
    simulated_value: float | None
    simulated_gradient: float | None
    real_value: float | None
    real_gradient: float | None
    finite_difference: float | None
    neighbors: float | None
    other_blocks: float | None
    differing: float | None

    @property
    def holds(self) -> bool:
        """Everything was measured, what belongs to a search where there is one, and is right."""
        of_a_search = ((self.neighbors, "neighbor_error"), (self.other_blocks, "block_size_error"))
        if not all(e is None or e <= TOLERANCES[metric] for e, metric in of_a_search):
            return False
        if self.differing:
            return False
        measured = (
            (self.simulated_value, "value_error"),
            (self.simulated_gradient, "gradient_error"),
            (self.real_value, "value_error"),
            (self.real_gradient, "gradient_error"),
            (self.finite_difference, "finite_difference_error"),
        )
        return all(e is not None and e <= TOLERANCES[metric] for e, metric in measured)


def agreement(results: Sweep) -> list[Agreement]:
    """One row per loss of the catalog, measured or not."""

    def worst(loss: str, metric: str, source: str) -> float | None:
        rows = results.numbers(metric)
        rows = rows[(rows["loss"] == loss) & (rows["source"] == source)]
        return None if rows.empty else float(rows["value"].max(skipna=False))

    def differing(loss: str) -> float | None:
        found = [
            worst(loss, f"differing_{again}", Source.SIMULATED)
            for again in ("repeats", "processes")
        ]
        return max((arrays for arrays in found if arrays is not None), default=None)

    return [
        Agreement(
            loss,
            worst(loss, "value_error", Source.SIMULATED),
            worst(loss, "gradient_error", Source.SIMULATED),
            worst(loss, "value_error", Source.REAL),
            worst(loss, "gradient_error", Source.REAL),
            worst(loss, "finite_difference_error", Source.SIMULATED),
            worst(loss, "neighbor_error", Source.SIMULATED),
            worst(loss, "block_size_error", Source.SIMULATED),
            differing(loss),
        )
        for loss in LOSSES
    ]


def headline(read: Results) -> str:
    """One sentence: agreement, failures, and what could not be read."""
    return f"{_verdict(read)}{_unread(read)}."


def holds(read: Results) -> bool:
    """Every loss was shown to agree with its reference, and nothing failed."""
    if (read.measurements.frame["status"] == "failed").any() or read.newest is None:
        return False
    return all(row.holds for row in agreement(read.newest))


def _verdict(read: Results) -> str:
    frame = read.measurements.frame
    n_failed = frame[frame["status"] == "failed"]["benchmark"].nunique()
    if frame.empty:
        return "Nothing was measured"
    if read.newest is None:
        commits = frame["commit"].nunique()
        return (
            f"No sweep among the results: {len(frame)} figures of {commits} commits; "
            f"failed benchmarks: {n_failed}"
        )
    rows = agreement(read.newest)
    holding = [row for row in rows if row.holds]
    if len(holding) == len(rows) and not n_failed:
        verdict = (
            f"All {len(rows)} losses agree with their NumPy references, on simulated and real cells"
        )
    else:
        missing = ", ".join(row.loss for row in rows if not row.holds) or "none"
        verdict = (
            f"{len(holding)} of {len(rows)} losses agree with their NumPy references; "
            f"not shown to agree: {missing}; failed benchmarks: {n_failed}"
        )
    values, gradients = (
        read.newest.numbers(metric)["value"].max() for metric in ("value_error", "gradient_error")
    )
    return f"{verdict} (worst relative error: value {values:.1e}, gradient {gradients:.1e})"


def _unread(read: Results) -> str:
    n = len(read.measurements.complaints)
    return f"; {n} complaint{'s' * (n > 1)} about the files" if n else ""


def problems(frame: pd.DataFrame) -> pd.DataFrame:
    """What failed or was skipped, each reason once."""
    rows = frame[frame["status"] != "ok"]
    grouped = rows.groupby(["status", "device", "detail"])["benchmark"].nunique()
    return grouped.rename("benchmarks").reset_index()


def cost_table(results: Sweep, metric: str) -> pd.DataFrame:
    """The metric of the simulated cells: a row per loss and transform, a column per size."""
    rows = results.numbers(metric)
    rows = rows[rows["source"] == Source.SIMULATED]
    table = rows.pivot_table(
        index=["loss", "transform", "device"], columns="n_cells", values="value", sort=False
    )
    order = {loss: at for at, loss in enumerate(LOSSES)}
    return table.sort_index(level=0, key=lambda index: index.map(lambda v: order.get(v, -1)))
