"""Times of whole reports, drawn from a kind of noise, as the rows that processes would write."""

import numpy as np
import pandas as pd

from benchmarks.schema.rounds import CALLED_CELLS, COMPILED_CELLS, Side, Stage
from reports.commits.effects import TIME_KEY, effects
from reports.commits.errors.noise import Noise

__all__ = ["N_LOSSES", "N_TIMES", "effects_of", "simulate_times"]

_SEED = 0
# A report has about as many times; the tables stay as they are when a loss joins the suite.
N_LOSSES = 12
# All calls, then all compilations, in the order of the losses.
_TIMES = pd.DataFrame(
    [
        (f"loss{loss}:value_and_grad", n_cells, "cpu", metric)
        for metric, n_cells in (
            ("call_seconds", CALLED_CELLS),
            ("cold_compile_seconds", COMPILED_CELLS),
        )
        for loss in range(N_LOSSES)
    ],
    columns=TIME_KEY,
)
N_TIMES = len(_TIMES)


def simulate_times(noise: Noise, n_reports: int, n_rounds: int) -> tuple[np.ndarray, np.ndarray]:
    """Logarithms of seconds and of the bounds': (reports, times, rounds, sides), unchanged.

    The processes of a round run one after the other; which side comes first is drawn.
    """
    rng = np.random.default_rng(_SEED)
    drawn = noise.draw(rng, (n_reports, N_TIMES, 2 * n_rounds))
    head_first = rng.integers(2, size=(n_reports, 1, n_rounds, 1))
    order = np.concatenate([head_first, 1 - head_first], axis=-1)
    seconds, bounds = (
        np.take_along_axis(values.reshape(*values.shape[:2], n_rounds, 2), order, axis=-1)
        for values in drawn
    )
    bounds[..., 1] += noise.bound_slowdown
    return seconds, bounds


def effects_of(noise: Noise, stage: Stage, times: tuple[np.ndarray, np.ndarray]) -> pd.DataFrame:
    """``effects`` of the seconds and the bounds that were simulated, of all reports at once.

    A report's benchmarks bear its number: each time is judged for itself.
    """
    seconds, bounds = map(noise.read, times)
    report, at, number, side = (index.ravel() for index in np.indices(seconds.shape))
    rows = _TIMES.iloc[at].reset_index(drop=True)
    return effects(
        rows.assign(
            benchmark=pd.Series(report).astype(str) + "/" + rows["benchmark"],
            stage=stage,
            round=number,
            side=np.array(list(Side))[side],
            seconds=np.exp(seconds).ravel(),
            ratio=np.exp(seconds - bounds).ravel(),
        )
    )
