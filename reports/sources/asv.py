"""asv's results folder: every machine, environment and commit in it."""

import ast
import datetime
import functools
import hashlib
import itertools
import math
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks.schema.fields import why_impossible
from benchmarks.schema.files import utf_8
from benchmarks.schema.metrics import METRICS
from benchmarks.schema.records import Status
from benchmarks.schema.suite import benchmark_version
from reports.sources.asv_file import File, Result, result_of
from reports.sources.measurements import (
    KEY,
    Complaint,
    DamagedError,
    Measurements,
    as_frame,
    load_json,
    measurement,
)
from reports.sources.validation import MeasuredProgram, checked

__all__ = ["is_results_folder", "metric_of", "read_asv"]

_METRICS = {
    "time_call": "call_seconds",
    "track_limit_ratio": "lower_bound_ratio",
    "peakmem_call": "peak_memory_bytes",
    "timeraw_losses": "import_seconds",
    "timeraw_nnx": "import_seconds",
}
_BESIDE_RESULTS = ("machine.json", "benchmarks.json")
_RAISED = "the benchmark raised an error"


def is_results_folder(folder: Path) -> bool:
    """Whether asv writes its results there: it holds a folder per machine."""
    return (folder / "benchmarks.json").exists() or any(folder.glob("*/machine.json"))


def metric_of(name: str) -> str:
    """The metric that a benchmark of this suite measures, by its name in asv."""
    function = name.rsplit(".", 1)[-1]
    return _METRICS.get(function, function.removeprefix("track_"))


def read_asv(folder: Path) -> Measurements:
    """All results of this suite, with a complaint for every one that cannot be used.

    What another version of the suite measured is counted and left out, as are files that are
    none of asv's: both stay in the folder for ever.
    """
    paths = [*folder.glob("*/*"), *(path for path in folder.glob("*") if path.is_file())]
    paths = sorted(path for path in paths if path.name not in _BESIDE_RESULTS)
    read = Measurements.joined(_read_file(path, folder) for path in paths)
    complaints = read.complaints
    if read.frame.empty and not complaints:
        complaints = (Complaint(str(folder), "asv's results folder holds no results of the suite"),)
    return Measurements(read.frame, complaints, read.left_out)


def _is_results_file(path: Path, folder: Path) -> bool:
    """Whether asv writes its results there; editors and systems leave other files beside them."""
    names = path.relative_to(folder).parts
    hidden = any(name.startswith(".") for name in names)
    return len(names) == 2 and path.suffix == ".json" and path.is_file() and not hidden


def _read_file(path: Path, folder: Path) -> Measurements:
    if not _is_results_file(path, folder):
        foreign = f"{path.relative_to(folder)} is no results file of asv"
        return Measurements(as_frame([]), left_out=Counter([foreign]))
    try:
        file = checked(File, load_json(path))
        machine, folder_name = file.params.machine, utf_8(path.parent.name).decode()
        if machine != folder_name:
            raise DamagedError(f"params.machine: it is {machine!r}, and the folder {folder_name!r}")
    except DamagedError as error:
        return Measurements(as_frame([]), (Complaint(str(path), f"not asv's results: {error}"),))
    origin = _origin(file, path)
    rows: list[dict[str, Any]] = []
    problems: list[str] = []
    left_out: Counter[str] = Counter()
    for name, stored in file.results.items():
        if metric_of(name) not in METRICS:
            left_out[f"{name} is no benchmark of this suite"] += 1
            continue
        try:
            result = result_of(file.result_columns, stored)
            found, infinite = _measured(name, result, origin, left_out)
        except DamagedError as error:
            problems.append(f"{name} {error}")
        else:
            rows += found
            problems += infinite
    frame = as_frame(_of_newest_names(rows, left_out))
    return Measurements(frame, tuple(Complaint(str(path), p) for p in problems), left_out)


def _of_newest_names(rows: list[dict[str, Any]], left_out: Counter[str]) -> list[dict[str, Any]]:
    """Every measurement once: a benchmark that was renamed stands under both names."""
    newest: dict[tuple[Any, ...], dict[str, Any]] = {}
    for row in sorted(rows, key=lambda row: row["started"]):
        newest[tuple(row[name] for name in KEY)] = row
    if earlier := len(rows) - len(newest):
        left_out["measurements that another benchmark of the same commit measured later"] += earlier
    return list(newest.values())


def _origin(file: File, path: Path) -> dict[str, Any]:
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


def _measured(
    name: str, result: Result, origin: Mapping[str, Any], left_out: Counter[str]
) -> tuple[list[dict[str, Any]], list[str]]:
    """The rows of a benchmark, and a line if some are infinite.

    Of another version of the benchmark, and of programs and devices that the suite no longer
    has, there are none: they are counted in ``left_out``.

    Raises:
        DamagedError: the lists of the benchmark do not fit each other.
    """
    metric = metric_of(name)
    if result.version != benchmark_version(metric):
        left_out[f"{name} of version {result.version}"] += 1
        return [], []
    combinations = list(_measured_on(name, result.params))
    rows = []
    for where, own in zip(combinations, _of_each(result, len(combinations)), strict=True):
        value = own["value"]
        if unknown := where.pop("unknown"):
            left_out[f"measurements of {unknown}, which this suite does not have"] += 1
            continue
        if own["status"] == Status.OK and (problem := why_impossible(metric, value)):
            raise DamagedError(f"result: {problem}")
        own |= {**origin, **where, "started": result.started_at or 0}
        rows.append(measurement(where["benchmark"], metric, value, own))
    n_infinite = sum(row["status"] == Status.FAILED and row["detail"] != _RAISED for row in rows)
    return rows, [f"{name} has {n_infinite} infinite values"] if n_infinite else []


def _measured_on(name: str, params: Sequence[Sequence[str]]) -> Iterator[dict[str, Any]]:
    """Benchmark, cells and device of each combination of parameters, and what is unknown of it."""
    if not params:
        benchmark = f"import:{name.rpartition('timeraw_')[2]}"
        yield {"benchmark": benchmark, "n_cells": 0, "device": "cpu", "unknown": None}
        return
    if len(params) != len(MeasuredProgram.model_fields):
        raise DamagedError(f"params: {len(params)} parameters, not program, n_cells and device")
    for combination in itertools.product(*params):
        values = map(_literal, combination)
        where = checked(
            MeasuredProgram, dict(zip(MeasuredProgram.model_fields, values, strict=True))
        )
        yield {
            "benchmark": where.program,
            "n_cells": where.n_cells,
            "device": where.device,
            "unknown": where.unknown,
        }


@functools.cache  # a history repeats the same few parameters
def _literal(text: str) -> Any:
    try:
        return ast.literal_eval(text)
    except (ValueError, SyntaxError, MemoryError, RecursionError) as error:
        raise DamagedError(f"params: {text[:40]!r} is no value of Python") from error


def _of_each(result: Result, n_combinations: int) -> Iterator[dict[str, Any]]:
    """Value and status of each combination of parameters."""
    values = [None] * n_combinations if result.result is None else result.result
    if len(values) != n_combinations:
        raise DamagedError(f"result: {len(values)} elements for {n_combinations} combinations")
    for value in values:
        if value is None:
            yield {"value": None, "status": Status.FAILED, "detail": _RAISED}
        elif isinstance(value, float) and math.isnan(value):
            yield {"value": None, "status": Status.SKIPPED, "detail": "asv skipped it"}
        else:
            yield {"value": value, "status": Status.OK}
