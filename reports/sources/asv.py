"""asv's results folder: every machine, environment and commit in it."""

import ast
import datetime
import hashlib
import itertools
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from asv.results import Results as AsvResults
from asv.util import UserError

from benchmarks.schema.metrics import METRICS
from benchmarks.schema.suite import benchmark_version
from reports.sources.frame import Complaint, DamagedError, Measurements, load_json, row, tidy

__all__ = ["is_results_folder", "read_asv"]

_METRICS = {
    "time_call": "call_seconds",
    "track_limit_ratio": "lower_bound_ratio",
    "peakmem_call": "peak_memory_bytes",
    "timeraw_losses": "import_seconds",
    "timeraw_nnx": "import_seconds",
}
_BESIDE_RESULTS = ("machine.json", "benchmarks.json")


def is_results_folder(folder: Path) -> bool:
    """Whether asv writes its results there: it holds a folder per machine."""
    return (folder / "benchmarks.json").exists() or any(folder.glob("*/machine.json"))


def read_asv(folder: Path) -> Measurements:
    """All results; a file that cannot be read, and a row that says nothing, is a complaint."""
    parts = [_read_file(path) for path in sorted(folder.glob("*/*"))]
    parts += [_foreign(path) for path in sorted(folder.glob("*")) if path.is_file()]
    read = [part for part in parts if part is not None]
    if not read:
        nothing = Complaint(str(folder), "asv's results folder holds no results")
        return Measurements(tidy([]), (nothing,))
    return Measurements.joined(read)


def _foreign(path: Path) -> Measurements | None:
    if path.name in _BESIDE_RESULTS:
        return None
    return Measurements(tidy([]), (Complaint(str(path), "not a results file of asv"),))


def _read_file(path: Path) -> Measurements | None:
    if path.suffix != ".json" or path.name in _BESIDE_RESULTS:
        return _foreign(path)
    try:
        load_json(path)  # asv's own message does not tell an empty file from a truncated one
        results = AsvResults.load(str(path), machine_name=path.parent.name)
        rows, problems = _rows(results, path)
    except (DamagedError, UserError) as error:
        return Measurements(tidy([]), (Complaint(str(path), str(error)),))
    except (ValueError, KeyError, TypeError, AttributeError, IndexError) as error:
        return Measurements(tidy([]), (Complaint(str(path), f"not asv's results ({error!r})"),))
    return Measurements(tidy(rows), tuple(Complaint(str(path), p) for p in problems))


def _rows(results: AsvResults, path: Path) -> tuple[list[dict[str, Any]], list[str]]:
    date = datetime.datetime.fromtimestamp(results.date / 1000, datetime.UTC)
    origin = {
        "commit": results.commit_hash,
        "date": date.isoformat(timespec="seconds"),
        "machine": results.params["machine"],
        "environment": _environment(results),
        "file": str(path),
    }
    rows: list[dict[str, Any]] = []
    problems: list[str] = []
    for name in results.get_all_result_keys():
        function = name.rsplit(".", 1)[-1]
        metric = _METRICS.get(function, function.removeprefix("track_"))
        version, current = results.benchmark_version[name], benchmark_version(metric)
        if metric not in METRICS:
            problems.append(f"{name} is no benchmark of this suite")
        elif version != current:
            problems.append(f"{name} has version {version!r}, not {current!r}")
        else:
            found = [{**origin, **more} for more in _measured(results, name)]
            rows += [row(_benchmark(one, function), metric, one.pop("value"), one) for one in found]
            if infinite := sum(r["detail"].endswith("inf") for r in rows[-len(found) :]):
                problems.append(f"{name} has {infinite} infinite values")
    return rows, problems


def _environment(results: AsvResults) -> str:
    """The version of jax if asv's matrix chose it, and asv's name, cut short by a hash.

    The name lists every package of the matrix, or the path of an existing interpreter.
    """
    name, jax = results.env_name, results.params.get("jax")
    kind, *rest = name.split("-")
    start = kind if kind == "existing" else "-".join([kind, *rest[:1]])
    if name != start:
        name = f"{start}-{hashlib.sha256(name.encode()).hexdigest()[:8]}"
    return f"jax {jax}, {name}" if jax else name


def _benchmark(found: dict[str, Any], function: str) -> str:
    program = found.pop("program", None)
    return program or f"import:{function.removeprefix('timeraw_')}"


def _measured(results: AsvResults, name: str) -> Iterator[dict[str, Any]]:
    """Value, samples and place of each combination of parameters."""
    parameters = results.get_result_params(name)
    values = results.get_result_value(name, parameters)
    samples = results.get_result_samples(name, parameters)
    stats = results.get_result_stats(name, parameters)
    places = [
        dict(zip(("program", "n_cells", "device"), map(ast.literal_eval, combination), strict=True))
        if combination
        else {"n_cells": 0, "device": "cpu"}
        for combination in itertools.product(*parameters)
    ]
    for place, value, own_samples, own_stats in zip(places, values, samples, stats, strict=True):
        own_stats = own_stats or {}
        found = {
            **place,
            "value": value,
            "samples": tuple(own_samples or ()),
            "ci_low": own_stats.get("ci_99_a"),
            "ci_high": own_stats.get("ci_99_b"),
        }
        if value is None:
            found |= {"status": "failed", "detail": "the benchmark raised an error"}
        elif isinstance(value, float) and math.isnan(value):
            found |= {"value": None, "status": "skipped", "detail": "asv skipped it"}
        yield found
