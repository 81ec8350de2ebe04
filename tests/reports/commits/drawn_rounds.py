"""The rounds of one measurement, with whatever times a test wants."""

import numpy as np
import pandas as pd

from benchmarks.schema.rounds import RoundTime, Side, Stage

LOSSES = ("shannon", "simpson", "velocity")


def rows(before, after, *, ratios=None, stage=Stage.FIRST, loss="simpson", metric="call_seconds"):
    """The rows of one measurement; its ratios scatter too much to count, unless they are given."""
    if ratios is None:
        scattered = 1000.0 ** np.arange(len(before) + len(after))
        ratios = np.split(scattered, [len(before)])
    return pd.DataFrame(
        RoundTime(stage, i, side, f"{loss}:value_and_grad", 4096, "cpu", metric, second, ratio)
        for side, times, own in zip((Side.BASE, Side.HEAD), (before, after), ratios, strict=True)
        for i, (second, ratio) in enumerate(zip(times, own, strict=True))
    )


def drawn(seed, n=8, step=1.0, spread=0.05):
    """Samples before and after."""
    before, after = np.exp(spread * np.random.default_rng(seed).standard_normal((2, n)))
    return before, step * after


def only(frame):
    """The only row."""
    (row,) = frame.itertuples()
    return row
