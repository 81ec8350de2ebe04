"""How often what a report says of the size of a change is true, by the number of rounds."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from benchmarks.schema.rounds import Stage
from reports.commits.errors.noise import NOISES, Noise
from reports.commits.errors.simulation import effects_of, simulate_times
from reports.commits.time_verdicts import open_times

__all__ = ["ROUNDS", "SLOWDOWN", "TABLE", "coverage", "coverage_of"]

TABLE = Path(__file__).with_name("coverage.csv")
ROUNDS = (2, 3, 4, 5, 6, 7, 8, 12, 20)
SLOWDOWN = 0.1
_N_REPORTS = 100
# The arithmetic of a ratio that was read in ticks.
_ROUNDING = 1e-9


def coverage(n_reports: int = _N_REPORTS) -> pd.DataFrame:
    """The table of ``TABLE``: a row per number of rounds a side, over all kinds of noise.

    Returns:
        Of so many ``intervals`` by so many ``rounds``, the share ``with_ends`` does not reach
        from 0 to infinity, and ``held`` holds the true ratio; ``lowest`` is that share under the
        worst kind of noise. In ``not_seen`` times the rounds see no change: of these, ``excluding``
        is the share that excludes changes beyond some size, and ``true`` the share that does
        not exclude the change that is there.
    """
    return pd.DataFrame([_row(n_rounds, n_reports) for n_rounds in ROUNDS])


def coverage_of(noise: Noise, n_rounds: int, n_reports: int) -> pd.DataFrame:
    """What these rounds say of times that all are slower by ``SLOWDOWN``.

    Returns:
        A row per time: whether its interval has ends, ``with_ends``, and holds the true ratio,
        ``held``; whether no change is seen, ``not_seen``, changes beyond some size are excluded,
        ``excluding``, and the true one is not, ``true``.
    """
    seconds, bounds = simulate_times(noise, n_reports, n_rounds)
    seconds[..., 1] += np.log1p(SLOWDOWN)
    found = effects_of(noise, Stage.FIRST, (seconds, bounds))
    low, high = found["low"] * (1 - _ROUNDING), found["high"] * (1 + _ROUNDING)
    return pd.DataFrame(
        {
            "with_ends": np.isfinite(found["high"]),
            "held": (low <= 1 + SLOWDOWN) & (high >= 1 + SLOWDOWN),
            "not_seen": ~found.index.isin(open_times(found).index),
            "excluding": np.isfinite(found["not_excluded"]),
            "true": found["not_excluded"] * (1 + _ROUNDING) >= SLOWDOWN,
        }
    )


def _row(n_rounds: int, n_reports: int) -> dict[str, Any]:
    parts = [coverage_of(noise, n_rounds, n_reports) for noise in NOISES.values()]
    found = pd.concat(parts)
    not_seen = found[found["not_seen"]]
    return {
        "rounds": n_rounds,
        "intervals": len(found),
        "with_ends": found["with_ends"].mean(),
        "held": found["held"].mean(),
        "lowest": min(part["held"].mean() for part in parts),
        "not_seen": len(not_seen),
        "excluding": not_seen["excluding"].mean(),
        "true": not_seen["true"].mean(),
    }
