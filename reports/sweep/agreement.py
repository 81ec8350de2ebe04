"""Whether every loss was shown to agree with its reference, in an answer and in a sentence."""

from collections.abc import Iterable
from dataclasses import dataclass

import pandas as pd

from benchmarks.schema.records import Source, Status
from benchmarks.schema.suite import LOSSES
from reports.rules.counters import tolerated
from reports.rules.verdicts import Answer
from reports.sources.results import ReadResults
from reports.sources.sweep_file import ReadSweep

__all__ = ["Agreement", "agreements", "answer", "report_headline"]

_DIFFERING = ("differing_repeats", "differing_processes")


@dataclass(frozen=True)
class Agreement:
    """The worst errors of one loss; None where nothing was measured.

    Attributes:
        simulated_value, simulated_gradient, real_value, real_gradient: relative errors in
            float32 against the float64 reference.
        finite_difference: error of the reference's differences against the float64 gradient.
        neighbors, other_blocks: errors of the search, where the loss has one.
        differing: arrays that a second call or a second process returned with other bits.
        n_failed: measurements of the loss that failed, of whatever size and metric.
    """

    loss: str
    simulated_value: float | None
    simulated_gradient: float | None
    real_value: float | None
    real_gradient: float | None
    finite_difference: float | None
    neighbors: float | None
    other_blocks: float | None
    differing: float | None
    n_failed: int

    @property
    def holds(self) -> bool:
        """Whether nothing failed or differs, and every error is there and within its tolerance.

        The errors of a search are missing where the loss does not search.
        """
        errors = (
            ("value_error", self.simulated_value),
            ("gradient_error", self.simulated_gradient),
            ("value_error", self.real_value),
            ("gradient_error", self.real_gradient),
            ("finite_difference_error", self.finite_difference),
        )
        of_a_search = (
            ("neighbor_error", self.neighbors),
            ("block_size_error", self.other_blocks),
        )
        return (
            self.n_failed == 0
            and not self.differing
            and all(e is not None and tolerated(metric, e) for metric, e in errors)
            and all(e is None or tolerated(metric, e) for metric, e in of_a_search)
        )


def agreements(sweep: ReadSweep) -> list[Agreement]:
    """One row per loss of the catalog, measured or not."""
    return [_agreement(loss, sweep.frame[sweep.frame["loss"] == loss]) for loss in LOSSES]


def answer(read: ReadResults) -> Answer:
    """Whether nothing failed, and every loss was shown to agree with its reference.

    Only a sweep says how far the losses are from their references. Without one, what failed
    is all that there is to judge.
    """
    frame, complaints = read.measurements.frame, read.measurements.complaints
    unjudged = bool(complaints) or frame.empty
    if read.newest is None and unjudged:
        return Answer.UNJUDGED
    failed = (frame["status"] == Status.FAILED).any()
    if failed or (read.newest and not all(row.holds for row in agreements(read.newest))):
        return Answer.FAILS
    return Answer.UNJUDGED if unjudged else Answer.PASSES


def report_headline(read: ReadResults) -> str:
    """One sentence: agreement, failures, and what could not be read."""
    n = len(read.measurements.complaints)
    unread = f"; {n} complaint{'s' * (n > 1)} about the files" if n else ""
    return f"{_of_results(read)}{unread}."


def _agreement(loss: str, rows: pd.DataFrame) -> Agreement:
    def worst(metric: str, source: Source = Source.SIMULATED) -> float | None:
        found = rows[(rows["metric"] == metric) & (rows["source"] == source)]
        return _worst(found[found["status"] == Status.OK]["value"])

    return Agreement(
        loss,
        simulated_value=worst("value_error"),
        simulated_gradient=worst("gradient_error"),
        real_value=worst("value_error", Source.REAL),
        real_gradient=worst("gradient_error", Source.REAL),
        finite_difference=worst("finite_difference_error"),
        neighbors=worst("neighbor_error"),
        other_blocks=worst("block_size_error"),
        differing=_worst(arrays for arrays in map(worst, _DIFFERING) if arrays is not None),
        n_failed=int((rows["status"] == Status.FAILED).sum()),
    )


def _worst(values: Iterable[float | None]) -> float | None:
    """The largest error, or the first that is impossible: negative, or not a number."""
    numbers = pd.Series(list(values), dtype=float)
    if numbers.empty:
        return None
    impossible = numbers[~(numbers >= 0)]
    return float(numbers.max() if impossible.empty else impossible.iloc[0])


def _of_results(read: ReadResults) -> str:
    frame = read.measurements.frame
    n_failed = frame[frame["status"] == Status.FAILED]["benchmark"].nunique()
    if frame.empty:
        return "Nothing was measured"
    if read.newest is None:
        commits = frame["commit"].nunique()
        return (
            f"Agreement is not judged, since there is no sweep: {len(frame)} measurements of "
            f"{commits} commits; "
            f"failed benchmarks: {n_failed}"
        )
    return f"{_of_agreement(read.newest, n_failed)} ({_worst_errors(read.newest)})"


def _of_agreement(sweep: ReadSweep, n_failed: int) -> str:
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


def _worst_errors(sweep: ReadSweep) -> str:
    value, gradient = (
        sweep.numbers(metric)["value"].max() for metric in ("value_error", "gradient_error")
    )
    return f"worst relative error: value {value:.1e}, gradient {gradient:.1e}"
