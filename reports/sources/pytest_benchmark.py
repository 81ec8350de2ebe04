"""The JSON that ``make bench-pytest`` writes."""

from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field

from benchmarks.schema.fields import Date, Name, Text, why_impossible
from benchmarks.schema.records import Status
from reports.sources.measurements import (
    DamagedError,
    Measurements,
    as_frame,
    commit_measured,
    complaints_about,
    is_ahead,
    measurement,
)
from reports.sources.validation import ForeignModel, MeasuredProgram, checked

__all__ = ["is_pytest_benchmark", "read_pytest_benchmark"]

_BESIDE_THE_CALL = ("cells_per_second", "temp_bytes", "lower_bound_ratio")
_UNVERSIONED = "unversioned"


class _CommitInfo(ForeignModel):
    id: Annotated[str, Field(pattern=rf"^([0-9a-f]{{1,64}}|{_UNVERSIONED})$")] | None = None
    dirty: bool

    @property
    def commit(self) -> str | None:
        """The commit whose measurements these are; None outside of a repository, too."""
        return commit_measured(None if self.id == _UNVERSIONED else self.id, dirty=self.dirty)


class _MachineInfo(ForeignModel):
    node: Name
    python_version: Text


class _File(ForeignModel):
    commit_info: _CommitInfo
    datetime: Date
    machine_info: _MachineInfo
    benchmarks: list[Any]


class _ExtraInfo(MeasuredProgram):
    cells_per_second: float
    temp_bytes: float
    lower_bound_ratio: float


class _Stats(ForeignModel):
    median: float


class _Benchmark(ForeignModel):
    extra_info: _ExtraInfo
    stats: _Stats


def is_pytest_benchmark(content: Any) -> bool:
    """Whether a JSON file's content looks like pytest-benchmark's."""
    return isinstance(content, dict) and not {"benchmarks", "machine_info"}.isdisjoint(content)


def read_pytest_benchmark(path: Path, content: Any) -> Measurements:
    """The calls' times, and what stands beside them.

    Raises:
        DamagedError: it lacks what pytest-benchmark always writes.
    """
    file = checked(_File, content)
    origin = {
        "commit": file.commit_info.commit,
        "date": file.datetime,
        "machine": file.machine_info.node,
        "environment": f"python {file.machine_info.python_version}",
        "file": str(path),
    }
    rows: list[dict[str, Any]] = []
    problems = [f"datetime is {file.datetime}, which is still to come"] * is_ahead(file.datetime)
    left_out: Counter[str] = Counter()
    for at, benchmark in enumerate(file.benchmarks):
        name = benchmark.get("name") if isinstance(benchmark, dict) else f"benchmarks.{at}"
        if _is_of_others(benchmark):
            left_out[f"{name} is no benchmark of this suite"] += 1
            continue
        try:
            read = checked(_Benchmark, benchmark)
            if unknown := read.extra_info.unknown:
                left_out[f"{name} of {unknown}, which this suite does not have"] += 1
            else:
                rows += _measured(read, origin)
        except DamagedError as error:
            problems.append(f"{name}: not as this suite writes it ({error})")
    problems += [
        f"{one['metric']} of {one['benchmark']}: {one['detail']}"
        for one in rows
        if one["status"] == Status.FAILED
    ]
    return Measurements(as_frame(rows), complaints_about(path, problems), left_out)


def _is_of_others(benchmark: Any) -> bool:
    """Whether a benchmark says nothing of what this suite's benchmarks all say."""
    own = benchmark.get("extra_info") if isinstance(benchmark, dict) else None
    return isinstance(own, dict) and set(_ExtraInfo.model_fields).isdisjoint(own)


def _measured(benchmark: _Benchmark, origin: Mapping[str, Any]) -> list[dict[str, Any]]:
    extra = benchmark.extra_info
    values = {"call_seconds": benchmark.stats.median}
    values |= {name: getattr(extra, name) for name in _BESIDE_THE_CALL}
    for metric, value in values.items():
        if problem := why_impossible(metric, value):
            raise DamagedError(f"{metric}: {problem}")
    where = {**origin, "n_cells": extra.n_cells, "device": extra.device}
    return [measurement(extra.program, name, where, value=value) for name, value in values.items()]
