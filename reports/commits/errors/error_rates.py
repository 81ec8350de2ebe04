"""How often a report errs: whole reports are simulated, and judged as measured ones are."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from benchmarks.schema.rounds import Stage
from reports.commits.errors.noise import NOISES, Noise
from reports.commits.errors.simulation import N_LOSSES, N_TIMES, effects_of, simulate_times
from reports.commits.time_verdicts import (
    AGAIN_ROUNDS,
    FIRST_ROUNDS,
    judge_stages,
    open_times,
)
from reports.rules.verdicts import Verdict

__all__ = ["MODELS", "N_REPORTS", "TABLE", "Model", "error_rate", "error_rates"]

TABLE = Path(__file__).with_name("error_rates.csv")
N_REPORTS = 400


class Model(NamedTuple):
    """What a report is made of.

    Attributes:
        description: in words.
        noise: what acts on the times.
        first, again: the rounds that are held of either stage.
    """

    description: str
    noise: Noise
    first: int = FIRST_ROUNDS
    again: int = AGAIN_ROUNDS


MODELS: Mapping[str, Model] = {
    **{name: Model(noise.description, noise) for name, noise in NOISES.items()},
    "time runs out": Model(
        "5 % a process, and there is time for two new rounds alone", NOISES["process"], again=2
    ),
    "few rounds": Model(
        "5 % a process, and there is time for 4 rounds and 6 new ones",
        NOISES["process"],
        first=4,
        again=6,
    ),
}


def error_rates(n_reports: int = N_REPORTS) -> pd.DataFrame:
    """The table of ``TABLE``: a row per model.

    Returns:
        The ``model`` with its ``description``, and the number of ``reports``.
        ``false_alarms`` counts the reports that name a change where there is none.
        The same reports are judged with the call of one loss 10 % and 20 % slower:
        ``found_10`` and ``found_20`` are the shares of the reports that call it slower,
        ``false_alarms_10`` and ``false_alarms_20`` count those that call it faster, or name
        anything else.
    """
    return pd.DataFrame([error_rate(model, n_reports) for model in MODELS])


def error_rate(name: str, n_reports: int) -> dict[str, Any]:
    """One row of ``error_rates``."""
    model = MODELS[name]
    seconds, bounds = simulate_times(model.noise, n_reports, model.first + model.again)
    row = {"model": name, "description": model.description, "reports": n_reports}
    row["false_alarms"] = int((_named(model, seconds, bounds) != 0).any(axis=1).sum())
    slowed = np.arange(n_reports), np.arange(n_reports) % N_LOSSES
    for percent in (10, 20):
        slowdown = np.zeros_like(seconds)
        slowdown[*slowed, :, 1] = np.log1p(percent / 100)
        named = _named(model, seconds + slowdown, bounds)
        found = named[slowed] > 0
        named[slowed] = np.minimum(named[slowed], 0)
        row[f"found_{percent}"] = float(found.mean())
        row[f"false_alarms_{percent}"] = int((named != 0).any(axis=1).sum())
    return row


def _named(model: Model, seconds: np.ndarray, bounds: np.ndarray) -> np.ndarray:
    """Which times are called slower, 1, and which faster, -1: (reports, times)."""
    first, again = (
        effects_of(model.noise, stage, (seconds[:, :, rounds], bounds[:, :, rounds]))
        for stage, rounds in (
            (Stage.FIRST, slice(model.first)),
            (Stage.AGAIN, slice(model.first, None)),
        )
    )
    named = np.zeros(seconds.shape[:2], int)
    opened = open_times(first).index // N_TIMES
    for report in opened.unique():
        own = slice(report * N_TIMES, (report + 1) * N_TIMES)
        found = judge_stages(first.iloc[own], again.iloc[own])["verdict"]
        named[report] = (found == Verdict.REGRESSED) * 1 - (found == Verdict.IMPROVED)
    return named
