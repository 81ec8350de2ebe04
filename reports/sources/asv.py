"""asv's results folder: every machine, environment and commit in it."""

import ast
import dataclasses
import datetime
import functools
import hashlib
import itertools
import math
from collections import Counter
from collections.abc import Iterator, Sequence
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
    DamagedError,
    Measurements,
    as_frame,
    complaints_about,
    load_json,
    measurement,
)
from reports.sources.validation import MeasuredProgram, checked

__all__ = ["metric_of", "read_asv"]

_METRICS = {
    "time_call": "call_seconds",
    "track_limit_ratio": "lower_bound_ratio",
    "peakmem_call": "peak_memory_bytes",
    "timeraw_losses": "import_seconds",
    "timeraw_nnx": "import_seconds",
}


def metric_of(name: str) -> str:
    """The metric that a benchmark of this suite measures, by its name in asv."""
    function = name.rsplit(".", 1)[-1]
    return _METRICS.get(function, function.removeprefix("track_"))


def read_asv(folder: Path) -> Measurements:
    """All results of this suite, with a complaint for every one that cannot be used.

    What another version of the suite measured is counted and left out: it stays in the folder
    for ever. Editors and systems leave hidden files beside the results.
    """
    paths = sorted(folder.glob("[!.]*/[!.]*.json"))
    read = Measurements.joined(_read_file(path) for path in paths if path.name != "machine.json")
    if not read.frame.empty or read.complaints:
        return read
    nothing = ["the folder holds no results of asv that are of this suite"]
    return dataclasses.replace(read, complaints=complaints_about(folder, nothing))


def _read_file(path: Path) -> Measurements:
    try:
        file = checked(File, load_json(path))
        machine, folder_name = file.params.machine, utf_8(path.parent.name).decode()
        if machine != folder_name:
            raise DamagedError(f"params.machine: it is {machine!r}, and the folder {folder_name!r}")
    except DamagedError as error:
        return Measurements(complaints=complaints_about(path, [f"not asv's results: {error}"]))
    origin = _origin(file, path)
    rows: list[dict[str, Any]] = []
    problems: list[str] = []
    left_out: Counter[str] = Counter()
    for name, stored in file.results.items():
        if metric_of(name) not in METRICS:
            left_out[f"{name} is no benchmark of this suite"] += 1
            continue
        try:
            found = list(_measured(name, result_of(file.result_columns, stored), left_out))
        except DamagedError as error:
            problems.append(f"{name} {error}")
            continue
        rows += [{**origin, **row} for row in found]
        if n := sum(row["detail"].startswith("the value is") for row in found):
            problems.append(f"{name} has {n} infinite values")
    frame = as_frame(_of_newest_names(rows, left_out))
    return Measurements(frame, complaints_about(path, problems), left_out)


def _of_newest_names(rows: list[dict[str, Any]], left_out: Counter[str]) -> list[dict[str, Any]]:
    """Every measurement once: a benchmark that was renamed stands under both names."""
    rows = sorted(rows, key=lambda row: row["started"])
    newest = {tuple(row[name] for name in KEY): row for row in rows}
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


def _measured(name: str, result: Result, left_out: Counter[str]) -> Iterator[dict[str, Any]]:
    """The rows of a benchmark.

    Of another version of the benchmark, and of programs and devices that the suite no longer
    has, there are none: they are counted in ``left_out``.

    Raises:
        DamagedError: the lists of the benchmark do not fit each other.
    """
    metric = metric_of(name)
    if result.version != benchmark_version(metric):
        left_out[f"{name} of version {result.version}"] += 1
        return
    combinations = list(_combinations(name, result.params))
    values = [None] * len(combinations) if result.result is None else result.result
    if len(values) != len(combinations):
        raise DamagedError(f"result: {len(values)} elements for {len(combinations)} combinations")
    for (benchmark, n_cells, device, unknown), value in zip(combinations, values, strict=True):
        if unknown:
            left_out[f"measurements of {unknown}, which this suite does not have"] += 1
            continue
        where = {"n_cells": n_cells, "device": device, "started": result.started_at or 0}
        yield measurement(benchmark, metric, where, **_outcome(metric, value))


def _combinations(
    name: str, params: Sequence[Sequence[str]]
) -> Iterator[tuple[str, int, str, str | None]]:
    """Benchmark, cells and device of each combination of parameters, and what is unknown of it."""
    if not params:
        yield f"import:{name.rpartition('timeraw_')[2]}", 0, "cpu", None
        return
    fields = list(MeasuredProgram.model_fields)
    if len(params) != len(fields):
        raise DamagedError(f"params: {len(params)} parameters, not {', '.join(fields)}")
    for combination in itertools.product(*params):
        values = dict(zip(fields, map(_literal, combination), strict=True))
        where = checked(MeasuredProgram, values)
        yield where.program, where.n_cells, where.device, where.unknown


@functools.cache  # a history repeats the same few parameters
def _literal(text: str) -> Any:
    try:
        return ast.literal_eval(text)
    except (ValueError, SyntaxError, MemoryError, RecursionError) as error:
        raise DamagedError(f"params: {text[:40]!r} is no value of Python") from error


def _outcome(metric: str, value: float | None) -> dict[str, Any]:
    """Value, status and reason: asv stores null where a benchmark failed, NaN where it skipped."""
    if value is None:
        return {"value": None, "status": Status.FAILED, "detail": "the benchmark raised an error"}
    if isinstance(value, float) and math.isnan(value):
        return {"value": None, "status": Status.SKIPPED, "detail": "asv skipped it"}
    if problem := why_impossible(metric, value):
        raise DamagedError(f"result: {problem}")
    return {"value": value}
