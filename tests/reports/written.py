"""Results files as the tools write them, with whatever numbers a test wants."""

import json
from types import MappingProxyType

from benchmarks.measure.checkpoint import Checkpoint, Measured
from benchmarks.schema.records import Ratio, Record
from benchmarks.schema.suite import LOSSES, benchmark_version
from reports.commits.change import Change, Commit
from reports.sources.asv import metric_of

ENVIRONMENT = {
    "date": "2026-01-01T00:00:00+00:00",
    "command": "python -m benchmarks sweep",
    "commit": "0" * 40,
    "dirty": False,
    "machine": "m",
    "os": "Linux",
    "cpu": "A processor",
    "architecture": "x86_64",
    "vector_extensions": ["avx2"],
    "cores": 2,
    "memory_bytes": 2**34,
    "python": "3.11.7",
    "packages": {"jax": "0.10.2", "jaxlib": "0.10.2"},
    "xla_flags": "",
    "devices": ["cpu: cpu"],
}
# Two programs, two commits, and some of what asv measures.
PROGRAM, OTHER = "simpson:value", "shannon:value"
BASE, HEAD = "b" * 40, "c" * 40
TEMPORARY = "bench_memory.Memory.track_temp_bytes"
CALL = "bench_throughput.Call.time_call"
_COLUMNS = ["result", "params", "version", "started_at", "duration"]
_DEVICES = ["'cpu'", "'gpu'"]


def change(**what):
    """The change from the base to the head, which a test may describe otherwise."""
    base, head = Commit(BASE, "base", "What was there"), Commit(HEAD, "head", "What is new")
    return Change(base, head, None, False, False)._replace(**what)


def record(loss, metric, value, **more):
    """A record of the value and gradient of 256 simulated cells, unless said otherwise."""
    place = {
        "transform": "value_and_grad",
        "source": "simulated",
        "n_cells": 256,
        "dtype": "float32",
        "device": "cpu",
        "samples": (),
        "status": "ok",
        "detail": "",
        **more,
    }
    return Record(f"{loss}:{place.pop('transform')}", metric=metric, value=value, **place)


def all_records(**value_errors):
    """What a sweep of all losses would hold, in which all is well but the errors given."""
    for loss in LOSSES:
        for metric in ("trace_seconds", "lower_seconds", "compile_seconds", "temp_bytes"):
            yield record(loss, metric, 1.5)
        for n_cells in (256, 1024):
            for metric in ("call_seconds", "cells_per_second"):
                yield record(loss, metric, 2.0, n_cells=n_cells)
        for source in ("simulated", "real"):
            yield record(loss, "value_error", value_errors.get(loss, 1e-7), source=source)
            yield record(loss, "gradient_error", 1e-6, source=source)
        yield record(loss, "finite_difference_error", 1e-9)
    absent = {"device": "gpu", "status": "skipped", "detail": "no gpu here"}
    yield record("velocity", "call_seconds", None, **absent)


def sweep(path, records, *, digests=MappingProxyType({"cells": "ab"}), **environment):
    """A sweep's file."""
    curves = [
        {"loss": loss, "n_cells": 64, "steps": [1e-2, 1e-4], "errors": [1e-3, 1e-9]}
        for loss in LOSSES
    ]
    seconds, ratio, n_bytes = (0.003, 0.002), (1.5, 1.25, 1.75), (10**6, 10**6)
    ratios = [
        Ratio(loss, "value", 256, "lower bound: search", *seconds, *ratio, *n_bytes, n_rounds=9)
        for loss in LOSSES
    ]
    checkpoint = Checkpoint(path, {**ENVIRONMENT, **environment}, ["everything"])
    checkpoint.add("everything", Measured(list(records), ratios, curves, dict(digests)))
    return path


def asv(folder, commit, day, measurements, environment="virtualenv-py3.11", *, machine="m"):
    """A results file of asv: by name, a value per program."""
    place = folder / machine
    place.mkdir(parents=True, exist_ok=True)
    described = {"machine": machine, "cpu": f"Processor {machine}", "num_cpu": "2", "version": 1}
    (place / "machine.json").write_text(json.dumps(described))
    content = {
        "commit_hash": commit * 40,
        "env_name": environment,
        "date": 1767225600000 + 86400000 * day,
        "params": {"machine": machine, "python": "3.11"},
        "python": "3.11",
        "requirements": {},
        "env_vars": {},
        "result_columns": _COLUMNS,
        "results": {name: _row(name, v) for name, v in measurements.items()},
        "durations": {},
        "version": 2,
    }
    path = place / f"{commit * 8}-{environment}.json"
    path.write_text(json.dumps(content))
    return path


def _row(name, values):
    """The programs' values on the CPU, each followed by one that was skipped on the GPU."""
    results = [x for value in values.values() for x in (value, float("nan"))]
    parameters = [[repr(program) for program in values], ["4096"], _DEVICES]
    return [results, parameters, benchmark_version(metric_of(name)), 0, 1.0]


def pytest_benchmark(path, *, dirty=False, date="2026-01-02T00:00:00", **stats):
    """A file of pytest-benchmark with one benchmark."""
    benchmark = {
        "name": "test_call",
        "stats": {"median": 0.002, "data": [0.002, 0.0021], **stats},
        "extra_info": {
            "program": "shannon:value", "n_cells": 256, "device": "cpu",
            "cells_per_second": 128000.0, "temp_bytes": 0, "lower_bound_ratio": 1.2,
        },
    }  # fmt: skip
    content = {
        "machine_info": {"node": "m", "python_version": "3.11.7"},
        "commit_info": {"id": "0" * 40, "dirty": dirty},
        "datetime": date,
        "benchmarks": [benchmark],
    }
    path.write_text(json.dumps(content))
    return path
