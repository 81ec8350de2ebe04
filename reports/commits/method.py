"""The page "How this is judged": the rules for times, and how often they err."""

from pathlib import Path

import pandas as pd

from benchmarks.schema.files import put_text
from reports.commits import time_verdicts
from reports.commits.effects import CONFIDENCE, NOT_EXCLUDED_LEVEL
from reports.commits.errors import coverage, error_rates
from reports.commits.errors.noise import SHARED
from reports.commits.errors.simulation import N_TIMES
from reports.rules.counters import SMALLEST_CHANGE
from reports.rules.verdicts import Verdict
from reports.writing.quantities import percent
from reports.writing.templating import render

__all__ = ["METHOD_PAGE", "write_method"]

# The file's name beside the page of a comparison.
METHOD_PAGE = "method.html"
_VERDICTS = {
    Verdict.REGRESSED: "Both looks show it slower by more than the smallest change that counts, "
    "and the second one passes the test. Where the second one could not be held, the first one "
    "passes a test of its own.",
    Verdict.IMPROVED: "The same, faster.",
    Verdict.UNCHANGED: "The effect is not larger than the smallest change that counts.",
    Verdict.NOISE: "The effect is larger, but it did not pass: chance can explain it. So is any "
    "larger effect between calls of identical compiled programs.",
    Verdict.UNDECIDED: "Not judged. The rounds are too few for any result to pass the test, or "
    "time ran out before the second look, and the first one does not pass by itself. The row says "
    "how many rounds are needed.",
}


def write_method(folder: Path) -> None:
    """Write the page into a folder that is there."""
    rates = pd.read_csv(error_rates.TABLE)
    content = {
        "headline": _headline(rates),
        "complaints": (),
        "first_rounds": time_verdicts.FIRST_ROUNDS,
        "again_rounds": time_verdicts.AGAIN_ROUNDS,
        "open_level": time_verdicts.OPEN_LEVEL,
        "rate": time_verdicts.RATE,
        "level": time_verdicts.TEST_LEVEL,
        "fewest": time_verdicts.FEWEST_FIRST_ROUNDS,
        "fewest_to_exclude": time_verdicts.FEWEST_TO_EXCLUDE,
        "missed": NOT_EXCLUDED_LEVEL / 2,
        "smallest_change": SMALLEST_CHANGE,
        "confidence": CONFIDENCE,
        "shared": SHARED,
        "verdicts": _VERDICTS,
        "rates": list(rates.itertuples(index=False)),
        "n_times": N_TIMES,
        "coverage": list(pd.read_csv(coverage.TABLE).itertuples(index=False)),
        "slowdown": coverage.SLOWDOWN,
    }
    put_text(folder / METHOD_PAGE, render("commits/method.html.j2", content))


def _headline(rates: pd.DataFrame) -> str:
    """One sentence: how often a report named a change where there was none."""
    alarms, reports = rates["false_alarms"].sum(), rates["reports"].sum()
    worst = (rates["false_alarms"] / rates["reports"]).max()
    return (
        f"Of {reports} simulated reports in which nothing changed, {alarms} named a change: "
        f"{percent(worst)} under the worst kind of noise, where {percent(time_verdicts.RATE)} "
        "are allowed."
    )
