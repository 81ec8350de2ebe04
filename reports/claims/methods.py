"""What methods made of real cells, over seeds."""

from collections.abc import Mapping
from typing import NamedTuple

import pandas as pd

from reports.claims.intervals import Interval, intervals

__all__ = ["Method", "methods"]


class Method(NamedTuple):
    """What a method made of a data set, over seeds."""

    cells: str
    method: str
    weight: float | None
    measurements: Mapping[str, Interval]


def methods(trainings: pd.DataFrame) -> list[Method]:
    """Every method on every data set, with intervals; the rows of the tuning do not count."""
    final = trainings[~trainings["tuning"].astype(bool)]
    return [
        Method(cells, method, _weight(rows), intervals(rows["measurements"]))
        for (cells, method), rows in final.groupby(["cells", "method"], sort=False)
    ]


def _weight(rows: pd.DataFrame) -> float | None:
    weight = rows["weight"].iloc[0]
    return None if pd.isna(weight) else float(weight)
