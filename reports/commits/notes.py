"""What the page of two commits says about a row, in a few words."""

from typing import Any

import numpy as np
import pandas as pd

from reports.commits.judged_change import HeldRounds
from reports.commits.time_verdicts import FEWEST_TO_EXCLUDE, FIRST_ROUNDS
from reports.rules.verdicts import GATING, WALL_CLOCK, Verdict
from reports.writing.quantities import percent, quantity

__all__ = ["excluded", "note", "rounds_held", "threshold", "tone"]


def rounds_held(held: HeldRounds) -> str:
    """How many rounds of how many were held, and the option that leaves time for all."""
    again = (
        f"{held.again} of {held.again_planned} second rounds were held"
        if held.again_planned
        else "nothing was open for second rounds"
    )
    said = f"{held.first} of {FIRST_ROUNDS} first rounds were held, and {again}."
    if held.complete or held.minutes_needed is None:
        return said
    return f"{said} All of them take --minutes {held.minutes_needed:g} here."


def note(row: Any) -> str:
    """How a time is given, whether it is unstable, and what it does not exclude or lacks."""
    said = ["ratio to the bound"] * (row.unit == "ratio") + ["unstable"] * bool(row.unstable)
    if row.verdict in (Verdict.NOISE, Verdict.UNCHANGED) and pd.notna(row.undetected):
        said.append(
            f"a change below {row.undetected:.0%} would not show"
            if np.isfinite(row.undetected)
            else _excludes_nothing()
        )
    if pd.notna(needed := getattr(row, "rounds_needed", None)):
        said.append(f"at least {needed:.0f} {'second ' * row.opened}rounds are needed")
    return "; ".join(said)


def excluded(share: float) -> str:
    """Beyond which change the times of a loss exclude one."""
    if pd.isna(share):
        return ""
    return percent(share) if np.isfinite(share) else _excludes_nothing()


def _excludes_nothing() -> str:
    return f"excludes no change: at least {FEWEST_TO_EXCLUDE} rounds are needed"


def threshold(row: Any) -> str:
    """How much counts as a change: a share of a time, an amount of anything else."""
    if row.kind in WALL_CLOCK and pd.notna(row.threshold):
        return f"{row.threshold:.0%}"
    return quantity(row.threshold, row.unit)


def tone(verdict: str) -> str:
    """The style of a verdict: a bad one, a good one, or neither."""
    return "no" if verdict in GATING else "yes" if verdict == Verdict.IMPROVED else ""
