"""The table that every reader fills: one row per measurement, complaints beside it."""

import datetime
import gzip
import json
import math
import zlib
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd

from benchmarks.schema.metrics import METRICS
from benchmarks.schema.records import Source, Status

__all__ = [
    "COLUMNS",
    "KEY",
    "Complaint",
    "DamagedError",
    "IncomparableError",
    "Measurements",
    "as_frame",
    "commit_measured",
    "complaints_about",
    "is_ahead",
    "load_json",
    "measurement",
    "naming_damaged",
    "read_text",
]

# The columns that name a measurement, wherever and whenever it was measured.
KEY = ["benchmark", "source", "n_cells", "device", "metric"]
_ORIGIN = ["commit", "date", "machine", "environment", "file"]
COLUMNS = [
    *KEY, "loss", "transform", "dtype", "unit", "better", "value", "status", "detail",
    *_ORIGIN,
]  # fmt: skip
_NUMBERS = {"n_cells": int}


class Complaint(NamedTuple):
    """A file, and what in it could not be read or believed."""

    path: str
    problem: str

    def __str__(self) -> str:
        return f"{self.path}: {self.problem}"


def complaints_about(path: Path, problems: Iterable[str]) -> tuple[Complaint, ...]:
    """A complaint about the file for every problem."""
    return tuple(Complaint(str(path), problem) for problem in problems)


class DamagedError(ValueError):
    """A file says nothing that can be used; the message says why."""


class IncomparableError(ValueError):
    """There is nothing that these measurements could be compared with; the message says why."""


@dataclass(frozen=True)
class Measurements:
    """Rows with the columns above, and what else the files they come from hold.

    Attributes:
        frame: the rows.
        complaints: what is wrong.
        left_out: what is right but of another suite or version, and how often it occurs.
    """

    frame: pd.DataFrame = field(default_factory=lambda: as_frame([]))
    complaints: tuple[Complaint, ...] = ()
    left_out: Counter[str] = field(default_factory=Counter)

    @classmethod
    def joined(cls, parts: Iterable["Measurements"]) -> "Measurements":
        """All rows, all complaints and all that was left out, ``once``."""
        parts = list(parts)
        frames = [part.frame for part in parts if not part.frame.empty]
        frame = pd.concat(frames, ignore_index=True) if frames else as_frame([])
        complaints = [complaint for part in parts for complaint in part.complaints]
        left_out = sum((part.left_out for part in parts), Counter[str]())
        return cls(frame, tuple(complaints), left_out).once()

    def once(self) -> "Measurements":
        """Every measurement once: of one that stands twice, the last, and a complaint says so."""
        frame, complaints = self.frame, list(self.complaints)
        twice = frame.duplicated([*KEY, "commit", "date", "machine", "environment"], keep="last")
        for file, rows in frame[twice].groupby("file"):
            first = rows.iloc[0]
            complaints.append(
                Complaint(
                    str(file),
                    f"{len(rows)} measurements stand twice, the first is {first.metric} of "
                    f"{first.benchmark} at {first.n_cells} cells; the last of each counts",
                )
            )
        return Measurements(frame[~twice].reset_index(drop=True), tuple(complaints), self.left_out)


def as_frame(measurements: Iterable[Mapping[str, Any]]) -> pd.DataFrame:
    """The measurements as rows; a frame of none has every column too.

    Of whatever rows, a column has the same type: a part of the rows says nothing of the others.
    """
    rows = list(measurements)
    return pd.DataFrame(rows, columns=COLUMNS, dtype=object).astype(_NUMBERS)


def measurement(
    benchmark: str, metric: str, origin: Mapping[str, Any], *, value: Any, **more: Any
) -> dict[str, Any]:
    """A row of the frame, with unit and direction of its metric.

    A measurement whose value is NaN or infinite has failed.

    Args:
        benchmark: loss and transform, ``simpson:value``.
        metric: one of ``METRICS``.
        origin: columns that say where the row comes from; they replace the defaults.
        value: a number or a hash; None where nothing was measured.
        more: columns that replace the origin's.
    """
    loss, _, transform = benchmark.partition(":")
    found = {
        "benchmark": benchmark,
        "loss": loss,
        "transform": transform,
        "source": Source.SIMULATED,
        "dtype": "float32",
        "metric": metric,
        "unit": METRICS[metric].unit,
        "better": METRICS[metric].better,
        "value": value,
        "status": Status.OK,
        "detail": "",
        **origin,
        **more,
    }
    if isinstance(value, float) and not math.isfinite(value):
        found |= {"value": None, "status": Status.FAILED, "detail": f"the value is {value}"}
    return found


def commit_measured(commit: str | None, *, dirty: bool) -> str | None:
    """The commit that was measured: None where the tree had changes that it does not have."""
    return None if dirty else commit


def is_ahead(date: str) -> bool:
    """Whether a date is still to come, by more than clocks and time zones differ."""
    then = datetime.datetime.fromisoformat(date)
    then = then if then.tzinfo else then.replace(tzinfo=datetime.UTC)
    return then > datetime.datetime.now(datetime.UTC) + datetime.timedelta(days=1)


def read_text(path: Path) -> str:
    """The text of a file, which is compressed if it is named ``.gz``."""
    content = path.read_bytes()
    return (gzip.decompress(content) if path.suffix == ".gz" else content).decode()


@contextmanager
def naming_damaged(path: Path) -> Iterator[None]:
    """Put the file's path before what is damaged in it."""
    try:
        yield
    except DamagedError as error:
        raise DamagedError(f"{path}: {error}") from error


def load_json(path: Path) -> Any:
    """The content of a JSON file, which may be compressed.

    Raises:
        DamagedError: unreadable, empty, truncated, nested too deep, or not JSON at all.
    """
    try:
        text = read_text(path)
    except (OSError, EOFError, zlib.error, UnicodeDecodeError) as error:
        raise DamagedError(f"cannot be read ({error})") from error
    if not text.strip():
        raise DamagedError("the file is empty")
    try:
        return json.loads(text)
    except RecursionError as error:
        raise DamagedError("the JSON is nested too deep") from error
    except ValueError as error:
        raise DamagedError(f"not complete JSON ({error})") from error
