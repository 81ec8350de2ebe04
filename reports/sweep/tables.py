"""Measurements arranged as the tables of a page."""

from typing import NamedTuple

import pandas as pd

from benchmarks.schema.records import Source, Status
from benchmarks.schema.suite import DEVICES, LOSSES, TRANSFORMS
from reports.sources.sweep_file import ReadSweep

__all__ = ["Speed", "cost_table", "problems", "speeds"]


class Speed(NamedTuple):
    """What a call of a loss costs at the largest size.

    Attributes:
        costs: per transform, in the order of ``TRANSFORMS``, the seconds and their ratio to
            those of the lower bound; None where not measured.
    """

    loss: str
    device: str
    n_cells: int
    costs: tuple[tuple[float | None, float | None], ...]


def speeds(sweep: ReadSweep) -> list[Speed]:
    """How fast every loss is, at the largest size at which it was measured."""
    calls = _of_simulated(sweep, "call_seconds")
    seconds, ratios = _by_program(calls), _by_program(_of_simulated(sweep, "lower_bound_ratio"))
    found = []
    for (loss, device), n_cells in calls.groupby(["loss", "device"])["n_cells"].max().items():
        programs = [(f"{loss}:{transform}", device, n_cells) for transform in TRANSFORMS]
        costs = tuple((seconds.get(program), ratios.get(program)) for program in programs)
        found.append(Speed(loss, device, n_cells, costs))
    return sorted(found, key=lambda speed: (speed.device, _order(speed.loss)))


def cost_table(sweep: ReadSweep, metric: str) -> pd.DataFrame:
    """The metric of the simulated cells: a row per loss and transform, a column per size."""
    table = _of_simulated(sweep, metric).pivot_table(
        index=["loss", "transform", "device"], columns="n_cells", values="value", sort=False
    )
    return table.sort_index(level="loss", key=lambda losses: losses.map(_order))


def problems(frame: pd.DataFrame) -> pd.DataFrame:
    """What failed or was skipped, each reason once."""
    rows = frame[frame["status"] != Status.OK]
    grouped = rows.groupby(["status", "device", "detail"])["benchmark"].nunique()
    return grouped.rename("benchmarks").reset_index()


def _of_simulated(sweep: ReadSweep, metric: str) -> pd.DataFrame:
    """The rows of simulated cells on one device."""
    rows = sweep.numbers(metric)
    return rows[(rows["source"] == Source.SIMULATED) & rows["device"].isin(DEVICES)]


def _by_program(rows: pd.DataFrame) -> dict[tuple[str, str, int], float]:
    return {(row.benchmark, row.device, row.n_cells): row.value for row in rows.itertuples()}


def _order(loss: str) -> int:
    """The position of a loss in the catalog; one that has left it comes first."""
    return LOSSES.index(loss) if loss in LOSSES else -1
