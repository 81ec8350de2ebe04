"""asv's results folder: every machine, environment and commit in it."""

import ast
import datetime
import hashlib
import itertools
import math
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field

from benchmarks.schema.metrics import METRICS
from benchmarks.schema.records import Status
from benchmarks.schema.suite import benchmark_version
from reports.sources.fields import (
    CellCount,
    Commit,
    Device,
    Name,
    Positive,
    Program,
    Text,
    Theirs,
    checked,
    misfit,
)
from reports.sources.frame import (
    Complaint,
    DamagedError,
    Measurements,
    as_frame,
    load_json,
    measurement,
)

__all__ = ["is_results_folder", "read_asv"]

_METRICS = {
    "time_call": "call_seconds",
    "track_limit_ratio": "lower_bound_ratio",
    "peakmem_call": "peak_memory_bytes",
    "timeraw_losses": "import_seconds",
    "timeraw_nnx": "import_seconds",
}
_BESIDE_RESULTS = ("machine.json", "benchmarks.json")
_RAISED = "the benchmark raised an error"
_LAST_MILLISECOND = 253_402_300_799_999  # of the year 9999


def _has_what_is_read(columns: list[str]) -> list[str]:
    if missing := {"result", "params", "version"} - set(columns):
        raise ValueError(f"says nothing of {', '.join(sorted(missing))}")
    return columns


class _Params(Theirs):
    machine: Name
    jax: Text | None = None


class _File(Theirs):
    version: Literal[2]
    commit_hash: Commit
    env_name: Name
    date: Annotated[int, Field(ge=0, le=_LAST_MILLISECOND)]
    params: _Params
    result_columns: Annotated[list[str], AfterValidator(_has_what_is_read)]
    results: dict[Name, list[Any]]


class _Result(Theirs):
    """What asv stores of one benchmark: a list has an element per combination of parameters."""

    result: list[int | float | None] | None
    params: list[list[Text]]
    version: Text | None
    samples: list[list[Positive] | None] | None = None
    stats_ci_99_a: list[float | None] | None = None
    stats_ci_99_b: list[float | None] | None = None


class _Place(Theirs):
    program: Program
    n_cells: CellCount
    device: Device


def is_results_folder(folder: Path) -> bool:
    """Whether asv writes its results there: it holds a folder per machine."""
    return (folder / "benchmarks.json").exists() or any(folder.glob("*/machine.json"))


def read_asv(folder: Path) -> Measurements:
    """All results, with a complaint for every file or benchmark that cannot be used."""
    parts = [_read_file(path) for path in sorted(folder.glob("*/*"))]
    parts += [_foreign(path) for path in sorted(folder.glob("*")) if path.is_file()]
    read = [part for part in parts if part is not None]
    if not read:
        nothing = Complaint(str(folder), "asv's results folder holds no results")
        return Measurements(as_frame([]), (nothing,))
    return Measurements.joined(read)


def _foreign(path: Path) -> Measurements | None:
    if path.name in _BESIDE_RESULTS:
        return None
    return Measurements(as_frame([]), (Complaint(str(path), "not a results file of asv"),))


def _read_file(path: Path) -> Measurements | None:
    if path.suffix != ".json" or path.name in _BESIDE_RESULTS:
        return _foreign(path)
    try:
        file = checked(_File, load_json(path))
        if file.params.machine != path.parent.name:
            raise DamagedError(f"params.machine: {file.params.machine!r} is another folder's")
    except DamagedError as error:
        return Measurements(as_frame([]), (Complaint(str(path), f"not asv's results: {error}"),))
    origin = _origin(file, path)
    rows: list[dict[str, Any]] = []
    problems: list[str] = []
    for name, stored in file.results.items():
        try:
            found, infinite = _measured(name, _result(file.result_columns, stored), origin)
        except DamagedError as error:
            problems.append(f"{name} {error}")
        else:
            rows += found
            problems += infinite
    return Measurements(as_frame(rows), tuple(Complaint(str(path), p) for p in problems))


def _origin(file: _File, path: Path) -> dict[str, Any]:
    date = datetime.datetime.fromtimestamp(file.date / 1000, datetime.UTC)
    return {
        "commit": file.commit_hash,
        "date": date.isoformat(timespec="seconds"),
        "machine": file.params.machine,
        "environment": _environment(file.env_name, file.params.jax),
        "file": str(path),
    }


def _environment(name: str, jax: str | None) -> str:
    """The version of jax if asv's matrix chose it, and asv's name, cut short by a hash.

    The name lists every package of the matrix, or the path of an existing interpreter.
    """
    kind, *rest = name.split("-")
    start = kind if kind == "existing" else "-".join([kind, *rest[:1]])
    if name != start:
        name = f"{start}-{hashlib.sha256(name.encode()).hexdigest()[:8]}"
    return f"jax {jax}, {name}" if jax else name


def _result(columns: Sequence[str], stored: Sequence[Any]) -> _Result:
    """The stored columns by name; asv leaves out the last ones where they are empty."""
    if len(stored) > len(columns):
        raise DamagedError(f"has {len(stored)} columns, and there are {len(columns)} names")
    return checked(_Result, dict(zip(columns, stored, strict=False)))


def _measured(
    name: str, result: _Result, origin: Mapping[str, Any]
) -> tuple[list[dict[str, Any]], list[str]]:
    """The rows of a benchmark, and a line if some are infinite.

    Raises:
        DamagedError: the benchmark is not of this suite or version, or its lists do not fit
            each other.
    """
    function = name.rsplit(".", 1)[-1]
    metric = _METRICS.get(function, function.removeprefix("track_"))
    if metric not in METRICS:
        raise DamagedError("is no benchmark of this suite")
    if result.version != (current := benchmark_version(metric)):
        raise DamagedError(f"has version {result.version!r}, not {current!r}")
    places = list(_places(function, result.params))
    rows = []
    for place, own in zip(places, _of_each(result, len(places)), strict=True):
        value = own["value"]
        if own["status"] == Status.OK and (problem := misfit(metric, value)):
            raise DamagedError(f"result: {problem}")
        rows.append(measurement(place["benchmark"], metric, value, {**origin, **place, **own}))
    n_infinite = sum(row["status"] == Status.FAILED and row["detail"] != _RAISED for row in rows)
    return rows, [f"{name} has {n_infinite} infinite values"] if n_infinite else []


def _places(function: str, params: Sequence[Sequence[str]]) -> Iterator[dict[str, Any]]:
    """Benchmark, cells and device of each combination of parameters."""
    if not params:
        benchmark = f"import:{function.removeprefix('timeraw_')}"
        yield {"benchmark": benchmark, "n_cells": 0, "device": "cpu"}
        return
    if len(params) != len(_Place.model_fields):
        raise DamagedError(f"params: {len(params)} parameters, not program, n_cells and device")
    for combination in itertools.product(*params):
        values = map(_literal, combination)
        place = checked(_Place, dict(zip(_Place.model_fields, values, strict=True)))
        yield {"benchmark": place.program, "n_cells": place.n_cells, "device": place.device}


def _literal(text: str) -> Any:
    try:
        return ast.literal_eval(text)
    except (ValueError, SyntaxError, MemoryError, RecursionError) as error:
        raise DamagedError(f"params: {text[:40]!r} is no value of Python") from error


def _of_each(result: _Result, n_places: int) -> Iterator[dict[str, Any]]:
    """Value, samples and status of each combination of parameters."""
    columns = {}
    for name in ("result", "samples", "stats_ci_99_a", "stats_ci_99_b"):
        stored = getattr(result, name)
        columns[name] = [None] * n_places if stored is None else stored
        if len(columns[name]) != n_places:
            n_stored = len(columns[name])
            raise DamagedError(f"{name}: {n_stored} elements for {n_places} combinations")
    for value, samples, low, high in zip(*columns.values(), strict=True):
        own = {"value": value, "samples": tuple(samples or ()), "ci_low": low, "ci_high": high}
        if value is None:
            own |= {"status": Status.FAILED, "detail": _RAISED}
        elif math.isnan(value):
            own |= {"value": None, "status": Status.SKIPPED, "detail": "asv skipped it"}
        else:
            own |= {"status": Status.OK}
        yield own
