"""How often a report errs: whole reports are simulated, and judged as measured ones are."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from benchmarks.schema.rounds import CALLED_CELLS, COMPILED_CELLS, Side, Stage
from reports.judge.effects import FIGURE, effects
from reports.judge.noise import NOISES, Noise
from reports.judge.rounds import AGAIN_ROUNDS, FIRST_ROUNDS, concluded, worth_another_look
from reports.judge.verdict import Verdict

__all__ = ["COLUMNS", "N_FIGURES", "N_REPORTS", "TABLE", "error_rate", "error_rates"]

TABLE = Path(__file__).with_name("error_rates.csv")
COLUMNS = [
    "model", "description", "reports", "false_alarms",
    "found_10", "false_alarms_10", "found_20", "false_alarms_20",
]  # fmt: skip
N_REPORTS = 400
_SEED = 0
# A report has about as many figures; the table stays as it is when a loss joins the suite.
_N_LOSSES = 12
# All calls, then all compilations, in the order of the losses.
_FIGURES = pd.DataFrame(
    [
        (f"loss{loss}:value_and_grad", n_cells, "cpu", metric)
        for metric, n_cells in (
            ("call_seconds", CALLED_CELLS),
            ("cold_compile_seconds", COMPILED_CELLS),
        )
        for loss in range(_N_LOSSES)
    ],
    columns=FIGURE,
)
N_FIGURES = len(_FIGURES)
_N_ROUNDS = FIRST_ROUNDS + AGAIN_ROUNDS


def error_rates(n_reports: int = N_REPORTS) -> pd.DataFrame:
    """The table of ``TABLE``: a row per kind of noise.

    Returns:
        ``COLUMNS``. ``false_alarms`` counts the reports that name a change where there is none.
        The same reports are judged with the call of one loss 10 % and 20 % slower:
        ``found_10`` and ``found_20`` are the shares of the reports that find it,
        ``false_alarms_10`` and ``false_alarms_20`` count those that name anything else.
    """
    return pd.DataFrame([error_rate(model, n_reports) for model in NOISES], columns=COLUMNS)


def error_rate(model: str, n_reports: int) -> dict[str, Any]:
    """One row of ``error_rates``."""
    seconds, ratios = _simulated(NOISES[model], n_reports)
    slowed = np.arange(n_reports) % _N_LOSSES
    row = {"model": model, "description": NOISES[model].description, "reports": n_reports}
    row["false_alarms"] = int(_named(seconds, ratios).any(axis=1).sum())
    for percent in (10, 20):
        step = np.zeros_like(seconds)
        step[np.arange(n_reports), slowed, :, 1] = np.log1p(percent / 100)
        named = _named(seconds + step, ratios + step)
        found = named[np.arange(n_reports), slowed]
        row[f"found_{percent}"] = float(found.mean())
        row[f"false_alarms_{percent}"] = int((named.sum(axis=1) > found).sum())
    return row


def _simulated(noise: Noise, n_reports: int) -> tuple[np.ndarray, np.ndarray]:
    """Logarithms of seconds and of ratios: (reports, figures, rounds, sides), nothing changed.

    The processes of a round run one after the other; which side comes first is drawn.
    """
    rng = np.random.default_rng(_SEED)
    drawn = noise.draw(rng, (n_reports, N_FIGURES, 2 * _N_ROUNDS))
    head_first = rng.integers(2, size=(n_reports, 1, _N_ROUNDS, 1))
    order = np.concatenate([head_first, 1 - head_first], axis=-1)
    seconds, ratios = (
        np.take_along_axis(values.reshape(*values.shape[:2], _N_ROUNDS, 2), order, axis=-1)
        for values in drawn
    )
    return seconds, ratios


def _named(seconds: np.ndarray, ratios: np.ndarray) -> np.ndarray:
    """Which figures are called a change: (reports, figures)."""
    first, again = (
        effects(_times(stage, seconds[:, :, rounds], ratios[:, :, rounds]))
        for stage, rounds in (
            (Stage.FIRST, slice(FIRST_ROUNDS)),
            (Stage.AGAIN, slice(FIRST_ROUNDS, None)),
        )
    )
    named = np.zeros(seconds.shape[:2], bool)
    opened = worth_another_look(first).index // N_FIGURES
    for report in opened.unique():
        own = slice(report * N_FIGURES, (report + 1) * N_FIGURES)
        rows = concluded(first.iloc[own], again.iloc[own])
        named[report] = rows["verdict"].isin([Verdict.REGRESSED, Verdict.IMPROVED])
    return named


def _times(stage: Stage, seconds: np.ndarray, ratios: np.ndarray) -> pd.DataFrame:
    """The rows that the processes of all reports would have written.

    A report's benchmarks bear its number: each figure is judged for itself, so that all
    reports can be handed over at once.
    """
    report, figure, number, side = (places.ravel() for places in np.indices(seconds.shape))
    times = _FIGURES.iloc[figure].reset_index(drop=True)
    return times.assign(
        benchmark=pd.Series(report).astype(str) + "/" + times["benchmark"],
        stage=stage,
        round=number,
        side=np.array(list(Side))[side],
        seconds=np.exp(seconds).ravel(),
        ratio=np.exp(ratios).ravel(),
    )
