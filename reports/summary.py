"""What the page says first: did every loss agree with its twin, and at what cost."""

from dataclasses import dataclass

import pandas as pd

from benchmarks.names import ACCURACY_LIMITS, LOSSES, REAL, SIMULATED
from reports.results import Results

__all__ = ["Agreement", "agreement", "cost_table", "headline", "problems"]


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

    @property
    def holds(self) -> bool:
        """Everything was measured, neighbours where there is a search, and within its limit."""
        if self.neighbors is not None and not self.neighbors <= ACCURACY_LIMITS["neighbor_error"]:
            return False
        measured = (
            (self.simulated_value, "value_error"),
            (self.simulated_gradient, "gradient_error"),
            (self.real_value, "value_error"),
            (self.real_gradient, "gradient_error"),
            (self.finite_difference, "finite_difference_error"),
        )
        return all(e is not None and e <= ACCURACY_LIMITS[metric] for e, metric in measured)


def agreement(results: Results) -> list[Agreement]:
    """One row per loss of the catalog, measured or not."""

    def worst(loss: str, metric: str, cells: str) -> float | None:
        rows = results.numbers(metric)
        rows = rows[(rows["loss"] == loss) & (rows["cells"] == cells)]
        return None if rows.empty else float(rows["value"].max(skipna=False))

    return [
        Agreement(
            loss,
            worst(loss, "value_error", SIMULATED),
            worst(loss, "gradient_error", SIMULATED),
            worst(loss, "value_error", REAL),
            worst(loss, "gradient_error", REAL),
            worst(loss, "finite_difference_error", SIMULATED),
            worst(loss, "neighbor_error", SIMULATED),
        )
        for loss in LOSSES
    ]


def headline(results: Results) -> str:
    """One sentence: agreement, failures and the machine."""
    rows = agreement(results)
    holding = [row for row in rows if row.holds]
    failed = results.frame[results.frame["status"] == "failed"]["benchmark"].nunique()
    if len(holding) == len(rows) and not failed:
        verdict = (
            f"All {len(rows)} losses agree with their NumPy twins, on simulated and real cells"
        )
    else:
        missing = ", ".join(row.loss for row in rows if not row.holds) or "none"
        verdict = (
            f"{len(holding)} of {len(rows)} losses agree with their NumPy twins; "
            f"not shown to agree: {missing}; failed benchmarks: {failed}"
        )
    values, gradients = (
        results.numbers(metric)["value"].max() for metric in ("value_error", "gradient_error")
    )
    return f"{verdict} (worst relative error: value {values:.1e}, gradient {gradients:.1e})."


def problems(results: Results) -> pd.DataFrame:
    """What failed or was skipped, each reason once."""
    rows = results.frame[results.frame["status"] != "ok"]
    grouped = rows.groupby(["status", "device", "detail"])["benchmark"].nunique()
    return grouped.rename("benchmarks").reset_index()


def cost_table(results: Results, metric: str) -> pd.DataFrame:
    """The metric of the simulated cells: a row per loss and transform, a column per size."""
    rows = results.numbers(metric)
    rows = rows[rows["cells"] == SIMULATED]
    table = rows.pivot_table(
        index=["loss", "transform", "device"], columns="n_cells", values="value", sort=False
    )
    order = {loss: at for at, loss in enumerate(LOSSES)}
    return table.sort_index(level=0, key=lambda index: index.map(lambda v: order.get(v, -1)))
