"""The sentences that a page, a comment or a command says first."""

from collections import Counter
from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd

from benchmarks.schema.metrics import METRICS
from benchmarks.schema.records import Status
from benchmarks.schema.suite import MESHES
from reports.judge.agreement import agreements
from reports.judge.comparison import HeldRounds
from reports.judge.rounds import FEWEST_TO_EXCLUDE, FIRST_ROUNDS
from reports.judge.verdict import JUDGED, Answer, Verdict, urgent_first, worst
from reports.pages.quantities import percent, quantity
from reports.sources.results import Results
from reports.sources.sweep import Sweep

__all__ = [
    "excluded",
    "note",
    "report_headline",
    "rounds_held",
    "unusual_rows",
    "verdict_headline",
]

_ANSWERS = {
    Answer.PASSES: "Passes",
    Answer.FAILS: "Fails",
    Answer.UNJUDGED: "Cannot be judged",
}
_TIMES = [name for name, metric in METRICS.items() if metric.unit == "s"]
_GONE = {Verdict.FAILING: "failed", Verdict.REMOVED: "removed", Verdict.SKIPPED: "skipped"}


def verdict_headline(verdicts: pd.DataFrame, answer: Answer) -> str:
    """Pass or fail, how many of each verdict, and the worst row: what, where and how much.

    What passes is what was judged: figures that were not measured often enough are left out.
    """
    counts = Counter(verdicts["verdict"])
    n_left = counts[Verdict.UNDECIDED] if answer == Answer.PASSES else 0
    without = f", {n_left} figure{'s' * (n_left > 1)} not judged" if n_left else ""
    parts = [f"{counts[name]} {name}" for name in Verdict if name in JUDGED or counts[name]]
    named = worst(verdicts)
    rest = "" if named is None else f"; worst: {_row(named)}"
    return f"{_ANSWERS[answer]}{without}: {', '.join(parts)}{rest}."


def rounds_held(held: HeldRounds) -> str:
    """How many rounds of how many were held, and the option that leaves time for all."""
    again = (
        f"{held.again} of {held.again_planned} second rounds were held"
        if held.again_planned
        else "no figure was open for second rounds"
    )
    said = f"{held.first} of {FIRST_ROUNDS} first rounds were held, and {again}."
    if held.complete or held.minutes_needed is None:
        return said
    return f"{said} All of them take --minutes {held.minutes_needed:g} here."


def _row(row: Any) -> str:
    """A figure before and now, in words."""
    before = quantity(row.before, row.unit)
    now = _GONE.get(row.verdict) or quantity(row.after, row.unit)
    place = f"{row.metric} of {row.benchmark} at {row.n_cells} cells"
    place += f", {row.device}" * (row.device in MESHES)
    how = ", as a ratio to the lower bound" if _is_relative(row) else ""
    return f"{place}, {before} before, {now} now{how}"


def _is_relative(row: Any) -> bool:
    """Whether a time is given as a ratio to the lower bound."""
    return row.metric in _TIMES and row.unit == "ratio"


def note(row: Any) -> str:
    """How a time is given, whether it is unstable, and what it does not exclude or lacks."""
    said = ["ratio to the bound"] * _is_relative(row) + ["unstable"] * bool(row.unstable)
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


def unusual_rows(verdicts: pd.DataFrame) -> Iterator[str]:
    """What is not as it was, the most urgent first, then the errors of what failed."""
    rows = urgent_first(verdicts[verdicts["verdict"] != Verdict.UNCHANGED])
    if rows.empty:
        return
    sides = {
        side: [quantity(*pair) for pair in zip(rows[side], rows["unit"], strict=True)]
        for side in ("before", "after")
    }
    columns = ["verdict", "benchmark", "source", "n_cells", "device", "metric", *sides]
    yield rows.assign(**sides)[columns].to_string(index=False)
    errors = rows[rows["detail"] != ""].drop_duplicates(["benchmark", "n_cells", "detail"])
    for row in errors.itertuples():
        yield f"{row.benchmark} at {row.n_cells} cells: {row.detail}"


def report_headline(read: Results) -> str:
    """One sentence: agreement, failures, and what could not be read."""
    n = len(read.measurements.complaints)
    unread = f"; {n} complaint{'s' * (n > 1)} about the files" if n else ""
    return f"{_of_results(read)}{unread}."


def _of_results(read: Results) -> str:
    frame = read.measurements.frame
    n_failed = frame[frame["status"] == Status.FAILED]["benchmark"].nunique()
    if frame.empty:
        return "Nothing was measured"
    if read.newest is None:
        commits = frame["commit"].nunique()
        return (
            f"Agreement is not judged, since there is no sweep: {len(frame)} figures of "
            f"{commits} commits; "
            f"failed benchmarks: {n_failed}"
        )
    return f"{_of_agreement(read.newest, n_failed)} ({_worst_errors(read.newest)})"


def _of_agreement(sweep: Sweep, n_failed: int) -> str:
    rows = agreements(sweep)
    others = [row.loss for row in rows if not row.holds]
    if not others and not n_failed:
        return (
            f"All {len(rows)} losses agree with their NumPy references, on simulated and real cells"
        )
    return (
        f"{len(rows) - len(others)} of {len(rows)} losses agree with their NumPy references; "
        f"not shown to agree: {', '.join(others) or 'none'}; failed benchmarks: {n_failed}"
    )


def _worst_errors(sweep: Sweep) -> str:
    value, gradient = (
        sweep.numbers(metric)["value"].max() for metric in ("value_error", "gradient_error")
    )
    return f"worst relative error: value {value:.1e}, gradient {gradient:.1e}"
