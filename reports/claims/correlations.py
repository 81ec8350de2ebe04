"""How well losses rank cells as the measures of the field do."""

import math
from collections.abc import Iterable
from typing import NamedTuple

import pandas as pd
import scipy.stats

from reports.claims.intervals import Interval, interval

__all__ = ["Correlation", "Setting", "correlations", "settings"]


class Correlation(NamedTuple):
    """The rank correlation of a loss with a measure of the field, over the points of a sweep."""

    loss: str
    measure: str
    target: float | None
    recommended: bool
    cells: str
    varied: str
    n_points: int
    rho: Interval

    @property
    def strength(self) -> float:
        """The mean correlation, above 0 where it has the target's sign."""
        return (
            self.rho.mean if self.target is None else math.copysign(1, self.target) * self.rho.mean
        )

    @property
    def reached(self) -> bool | None:
        """Whether the mean correlation is as strong as its target, with its sign."""
        return None if self.target is None else self.strength >= abs(self.target)


class Setting(NamedTuple):
    """How well a setting of a loss does in all sweeps against one measure.

    Attributes:
        loss: the loss with its setting.
        measure: the measure of the field.
        recommended: whether this setting is recommended.
        weakest: the correlation of the sweep in which it is weakest.
        n_reached: in how many sweeps the target is reached.
        n_sweeps: of how many.
    """

    loss: str
    measure: str
    recommended: bool
    weakest: Correlation
    n_reached: int
    n_sweeps: int


def correlations(associations: pd.DataFrame) -> list[Correlation]:
    """Spearman's rho per seed, with its interval over the seeds."""
    key = ["loss", "measure", "cells", "varied"]
    return [_correlation(rows) for _, rows in associations.groupby(key, sort=False)]


def settings(found: Iterable[Correlation]) -> list[Setting]:
    """Every setting against every measure, over all sweeps."""
    held: dict[tuple[str, str], list[Correlation]] = {}
    for correlation in found:
        held.setdefault((correlation.loss, correlation.measure), []).append(correlation)
    return [
        Setting(
            loss,
            measure,
            sweeps[0].recommended,
            min(sweeps, key=lambda sweep: sweep.strength),
            sum(bool(sweep.reached) for sweep in sweeps),
            len(sweeps),
        )
        for (loss, measure), sweeps in held.items()
    ]


def _correlation(rows: pd.DataFrame) -> Correlation:
    first = rows.iloc[0]
    by_seed = [seed for _, seed in rows.groupby("seed")]
    rhos = [_spearman(seed["loss_value"], seed["measure_value"]) for seed in by_seed]
    return Correlation(
        first["loss"],
        first["measure"],
        None if pd.isna(first["target"]) else float(first["target"]),
        bool(first["recommended"]),
        first["cells"],
        first["varied"],
        len(by_seed[0]),
        _within_one(interval(rhos)),
    )


def _within_one(found: Interval) -> Interval:
    """No correlation lies beyond 1, where the t interval may end."""
    return found._replace(low=max(found.low, -1.0), high=min(found.high, 1.0))


def _spearman(losses: pd.Series, measures: pd.Series) -> float:
    """Spearman's rho; 0 where one of the two never changes."""
    if losses.nunique() < 2 or measures.nunique() < 2:
        return 0.0
    return float(scipy.stats.spearmanr(losses, measures).statistic)
