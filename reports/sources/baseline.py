"""The file of a baseline: the deterministic figures that gate."""

from collections import Counter
from typing import Any

from reports.sources.fields import checked, checked_rows
from reports.sources.frame import KEY, DamagedError
from reports.sources.schemas import BaselineFile, BaselineRow

__all__ = ["BASELINE_COLUMNS", "checked_baseline"]

BASELINE_COLUMNS = [*KEY, "value"]


def checked_baseline(content: Any) -> BaselineFile:
    """What was loaded from a baseline's file; its rows are lists of ``BASELINE_COLUMNS``.

    Raises:
        DamagedError: a field is missing, unknown or of another type or range, or a figure stands
            twice; it is named.
    """
    file = checked(BaselineFile, content)
    named = [_named(row) for row in file.rows]
    _, problems = checked_rows(BaselineRow, named, "rows", noted=["metric", "benchmark"])
    figures = Counter(tuple(row[: len(KEY)]) for row in file.rows if not problems)
    problems += [f"rows: {list(one)} stands twice" for one, n in figures.items() if n > 1][:1]
    if problems:
        raise DamagedError("; ".join(problems))
    return file


def _named(row: list[Any]) -> Any:
    """The row with its columns' names, or as it is where it has not as many columns."""
    if len(row) != len(BASELINE_COLUMNS):
        return row
    return dict(zip(BASELINE_COLUMNS, row, strict=True))
