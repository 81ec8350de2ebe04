"""The JSON that ``make bench-pytest`` writes."""

import math
from pathlib import Path
from typing import Any

from reports.sources.frame import Complaint, DamagedError, Measurements, row, tidy

__all__ = ["is_pytest_benchmark", "read_pytest_benchmark"]

_EXTRA = ("cells_per_second", "temp_bytes", "lower_bound_ratio")


def is_pytest_benchmark(content: Any) -> bool:
    """Whether a JSON file's content looks like pytest-benchmark's."""
    return isinstance(content, dict) and {"benchmarks", "machine_info"} <= set(content)


def read_pytest_benchmark(path: Path, content: dict[str, Any]) -> Measurements:
    """The calls' times with their samples, and what stands beside them.

    Raises:
        DamagedError: it lacks what pytest-benchmark always writes.
    """
    try:
        origin = {
            "commit": content["commit_info"].get("id"),
            "date": content["datetime"],
            "machine": content["machine_info"]["node"],
            "environment": f"python {content['machine_info']['python_version']}",
            "file": str(path),
        }
        benchmarks = list(content["benchmarks"])
    except (KeyError, TypeError, AttributeError) as error:
        raise DamagedError(f"not pytest-benchmark's results ({error!r})") from error
    rows: list[dict[str, Any]] = []
    complaints: list[Complaint] = []
    for benchmark in benchmarks:
        try:
            rows += _rows(benchmark, origin)
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            name = benchmark.get("name") if isinstance(benchmark, dict) else benchmark
            complaints.append(Complaint(str(path), f"{name}: not one of this suite's ({error!r})"))
    for one in rows:
        if one["status"] == "failed":
            what = f"{one['metric']} of {one['benchmark']}: {one['detail']}"
            complaints.append(Complaint(str(path), what))
    return Measurements(tidy(rows), tuple(complaints))


def _rows(benchmark: dict[str, Any], origin: dict[str, Any]) -> list[dict[str, Any]]:
    extra, stats = benchmark["extra_info"], benchmark["stats"]
    place = {**origin, "n_cells": int(extra["n_cells"]), "device": extra["device"]}
    samples = tuple(s for s in stats.get("data", ()) if math.isfinite(s))
    call = row(extra["program"], "call_seconds", float(stats["median"]), place, samples=samples)
    return [call, *(row(extra["program"], name, float(extra[name]), place) for name in _EXTRA)]
