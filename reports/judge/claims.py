"""What the experiments show: verdicts on claims, correlations with measures, trained methods."""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import scipy.stats

__all__ = [
    "Condition",
    "Correlation",
    "Finding",
    "Interval",
    "JudgedClaim",
    "Method",
    "Setting",
    "correlations",
    "interval",
    "judged_claims",
    "methods",
    "settings",
]

_CONFIDENCE = 0.95


class Finding(StrEnum):
    """The verdict on a claim."""

    HOLDS = "holds"
    HOLDS_ONLY_IF = "holds only if"
    DOES_NOT_HOLD = "does not hold"


class Interval(NamedTuple):
    """A mean over seeds with its 95 % confidence interval."""

    mean: float
    low: float
    high: float
    n: int


@dataclass(frozen=True)
class Condition:
    """What was found under one condition of a claim.

    Attributes:
        words: the condition; empty where the claim has none.
        margin: by how much the claim held; None if an experiment failed.
        numbers: what was measured.
        error: the first failure; empty if there is none.
    """

    words: str
    margin: Interval | None
    numbers: Mapping[str, Interval]
    error: str

    @property
    def holds(self) -> bool:
        """Whether the whole interval of the margin is above 0."""
        return self.margin is not None and self.margin.low > 0


@dataclass(frozen=True)
class JudgedClaim:
    """A claim and what was found about it."""

    loss: str
    statement: str
    conditions: tuple[Condition, ...]

    @property
    def finding(self) -> Finding:
        """Holds under all conditions, under some of them, or under none."""
        held = [condition.holds for condition in self.conditions]
        if all(held):
            return Finding.HOLDS
        return Finding.HOLDS_ONLY_IF if any(held) else Finding.DOES_NOT_HOLD

    @property
    def verdict(self) -> str:
        """The finding, with the conditions that it names."""
        if self.finding != Finding.HOLDS_ONLY_IF:
            return str(self.finding)
        return f"{self.finding} {' or '.join(c.words for c in self.conditions if c.holds)}"


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


class Method(NamedTuple):
    """What a method made of a data set, over seeds."""

    cells: str
    method: str
    weight: float | None
    measurements: Mapping[str, Interval]


def interval(values: Iterable[float]) -> Interval:
    """Mean and t interval; the mean alone where nothing varies or there is one value."""
    found = np.asarray(list(values), dtype=float)
    mean = float(found.mean())
    error = float(scipy.stats.sem(found)) if len(found) > 1 else 0.0
    if not error > 0:
        return Interval(mean, mean, mean, len(found))
    low, high = scipy.stats.t.interval(_CONFIDENCE, len(found) - 1, mean, error)
    return Interval(mean, float(low), float(high), len(found))


def judged_claims(margins: pd.DataFrame) -> list[JudgedClaim]:
    """One verdict per claim; those of a loss stand together."""
    ordered = margins.sort_values("loss", kind="stable")
    return [
        JudgedClaim(
            loss,
            statement,
            tuple(
                _condition(words, rows) for words, rows in claim.groupby("condition", sort=False)
            ),
        )
        for (loss, statement), claim in ordered.groupby(["loss", "statement"], sort=False)
    ]


def _condition(words: str, rows: pd.DataFrame) -> Condition:
    failed = rows[rows["margin"].isna()]
    measured = rows[rows["margin"].notna()]
    return Condition(
        words,
        None if len(failed) else interval(measured["margin"]),
        _intervals(measured["numbers"]),
        failed["error"].iloc[0] if len(failed) else "",
    )


def _intervals(rows: Iterable[Mapping[str, float]]) -> dict[str, Interval]:
    """The interval of every name, over the rows that have it."""
    held: dict[str, list[float]] = {}
    for row in rows:
        for name, number in row.items():
            held.setdefault(name, []).append(number)
    return {name: interval(numbers) for name, numbers in held.items()}


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
        _known(first["target"]),
        bool(first["recommended"]),
        first["cells"],
        first["varied"],
        len(by_seed[0]),
        _within_one(interval(rhos)),
    )


def _within_one(found: Interval) -> Interval:
    """No correlation lies beyond 1, where the t interval may end."""
    return found._replace(low=max(found.low, -1.0), high=min(found.high, 1.0))


def _spearman(ours: pd.Series, theirs: pd.Series) -> float:
    """Spearman's rho; 0 where one of the two never changes."""
    if ours.nunique() < 2 or theirs.nunique() < 2:
        return 0.0
    return float(scipy.stats.spearmanr(ours, theirs).statistic)


def methods(trainings: pd.DataFrame) -> list[Method]:
    """Every method on every data set, with intervals; the rows of the tuning do not count."""
    final = trainings[~trainings["tuning"].astype(bool)]
    return [
        Method(cells, method, _known(rows["weight"].iloc[0]), _intervals(rows["measurements"]))
        for (cells, method), rows in final.groupby(["cells", "method"], sort=False)
    ]


def _known(value: Any) -> float | None:
    return None if pd.isna(value) else float(value)
