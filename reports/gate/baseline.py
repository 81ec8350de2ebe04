"""The baseline: the deterministic measurements that the gate compares with, in a file."""

from pathlib import Path
from typing import Annotated, Any, Literal

import pandas as pd
from pydantic import Field

from benchmarks.schema.environment import SWEEP_SCOPE
from benchmarks.schema.fields import CellCount, Commit, Count, Name, Text
from benchmarks.schema.files import UnwritableError, check_replaceable, json_with, write_json
from benchmarks.schema.records import BaselineRow, Status
from reports.rules.counters import deterministic
from reports.sources.measurements import (
    KEY,
    DamagedError,
    IncomparableError,
    load_json,
    naming_damaged,
)
from reports.sources.sweep_file import ReadSweep
from reports.sources.validation import OwnModel, checked, checked_rows

__all__ = [
    "Baseline",
    "baseline_path",
    "gated",
    "measurements_of",
    "read_baseline",
    "scope",
    "write_baseline",
]

_FOLDER = Path(__file__).parents[1] / "baselines"
_SCHEMA_VERSION = 2
_COLUMNS = BaselineRow.names()


class Baseline(OwnModel):
    """The deterministic measurements that gate; the rows are checked one by one."""

    schema_version: Literal[2]
    key: dict[Name, Text | bool | None]
    tier: Name
    losses: list[Name]
    n_cells: list[CellCount]
    cores: Annotated[Count, Field(ge=1)]
    commit: Commit | None
    rows: Annotated[list[list[Any]], Field(min_length=1)]


def baseline_path(results: ReadSweep) -> Path:
    """Where the baseline for such results lies."""
    found = results.compiled_with
    return _FOLDER / f"{found['backend']}-jaxlib-{found['jaxlib']}.json"


def scope(results: ReadSweep) -> dict[str, Any]:
    """What the sweep was asked to measure.

    Raises:
        IncomparableError: the sweep does not say it.
    """
    if results.environment["tier"] is None:
        raise IncomparableError(f"{results.path}: says no tier; measure it again")
    return {name: results.environment[name] for name in SWEEP_SCOPE}


def gated(results: ReadSweep) -> pd.DataFrame:
    """The deterministic measurements on the results' own backend, and what was not measured.

    Raises:
        DamagedError: nothing was measured there.
    """
    # Several devices of a backend, "cpu x 8", are named after it.
    backends = results.frame["device"].str.split().str[0]
    rows = deterministic(results.frame[backends == results.compiled_with["backend"]])
    if not (rows["status"] == Status.OK).any():
        raise DamagedError("nothing was measured on this backend")
    return rows


def read_baseline(path: Path) -> Baseline:
    """Read a baseline.

    Raises:
        IncomparableError: there is none.
        DamagedError: a field is missing, unknown or of another type or range, or a measurement
            stands twice; it is named.
    """
    if not path.exists():
        raise IncomparableError(
            f"no baseline {path.name}: write one with `python -m reports baseline`"
        )
    with naming_damaged(path):
        file = checked(Baseline, load_json(path))
        named = [_named(row) for row in file.rows]
        _, problems = checked_rows(BaselineRow, named, "rows", noted=["metric", "benchmark"])
        if problems:
            raise DamagedError("; ".join(problems))
        rows = measurements_of(file)[KEY]
        if rows.duplicated().any():
            raise DamagedError(f"rows: {rows[rows.duplicated()].iloc[0].tolist()} stands twice")
    return file


def measurements_of(baseline: Baseline) -> pd.DataFrame:
    """The rows of a baseline as measurements."""
    return pd.DataFrame(baseline.rows, columns=_COLUMNS).assign(status=Status.OK)


def write_baseline(results: ReadSweep, *, shrink: bool = False) -> Path:
    """Make these results the baseline; whole or not at all.

    Args:
        results: a sweep of a tier.
        shrink: whether measurements of the baseline before may be missing.

    Raises:
        DamagedError: nothing was measured, or a benchmark failed: neither can be a baseline.
        IncomparableError: the sweep does not say what it was asked to measure.
        UnwritableError: measurements of the baseline before are missing, or it cannot be replaced.
    """
    rows = gated(results)
    failed = rows[rows["status"] == Status.FAILED]
    if not failed.empty:
        names = ", ".join(sorted(set(failed["benchmark"])))
        raise DamagedError(f"no baseline was written, these failed: {names}")
    measured = rows[rows["status"] == Status.OK]
    content = {
        "schema_version": _SCHEMA_VERSION,
        "key": results.compiled_with,
        **scope(results),
        "cores": results.environment["cores"],
        "commit": results.commit,
        "rows": measured[_COLUMNS].to_numpy().tolist(),
    }
    path = baseline_path(results)
    check_replaceable(path, "a baseline", json_with("schema_version", "key", "rows"))
    if path.exists() and not shrink:
        _check_keeps(path, measured)
    write_json(path, content)
    return path


def _check_keeps(path: Path, measured: pd.DataFrame) -> None:
    """Refuse to lose a measurement of the baseline that is there."""
    try:
        before = measurements_of(read_baseline(path))
    except DamagedError as error:
        raise UnwritableError(f"{error}: not replaced without --shrink") from error
    lost = before[~_key_of(before).isin(_key_of(measured))]
    if not lost.empty:
        first = next(lost.itertuples(index=False))
        raise UnwritableError(
            f"{path}: not replaced without --shrink, it would lose {len(lost)} of {len(before)} "
            f"measurements, first {first.metric} of {first.benchmark} at {first.n_cells} cells"
        )


def _key_of(rows: pd.DataFrame) -> pd.MultiIndex:
    return pd.MultiIndex.from_frame(rows[KEY])


def _named(row: list[Any]) -> Any:
    """The row with its columns' names, or as it is where it has not as many columns."""
    return dict(zip(_COLUMNS, row, strict=True)) if len(row) == len(_COLUMNS) else row
