"""The sentence that a report says first."""

from benchmarks.schema.records import Status
from reports.sources.results import ReadResults
from reports.sources.sweep_file import ReadSweep
from reports.sweep.agreement import agreements

__all__ = ["report_headline"]


def report_headline(read: ReadResults) -> str:
    """One sentence: agreement, failures, and what could not be read."""
    n = len(read.measurements.complaints)
    unread = f"; {n} complaint{'s' * (n > 1)} about the files" if n else ""
    return f"{_of_results(read)}{unread}."


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
