"""The rows that a sweep produces, and their units."""

import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

__all__ = ["METRICS", "SCHEMA_VERSION", "Metric", "Ratio", "Record", "write_json", "write_text"]

SCHEMA_VERSION = 3


class Metric(NamedTuple):
    """What a number means: its unit, which direction is better, and its kind."""

    unit: str
    better: str
    kind: str


METRICS: Mapping[str, Metric] = {
    "trace_seconds": Metric("s", "lower", "compile"),
    "lower_seconds": Metric("s", "lower", "compile"),
    "compile_seconds": Metric("s", "lower", "compile"),
    "warm_compile_seconds": Metric("s", "lower", "compile"),
    "call_seconds": Metric("s", "lower", "time"),
    "ns_per_cell": Metric("ns", "lower", "time"),
    "cells_per_second": Metric("cells/s", "higher", "time"),
    "limit_seconds": Metric("s", "lower", "time"),
    "limit_ratio": Metric("ratio", "lower", "time"),
    "import_seconds": Metric("s", "lower", "time"),
    "peak_memory_bytes": Metric("bytes", "lower", "peak"),
    "peak_bytes_in_use": Metric("bytes", "lower", "peak"),
    "temp_bytes": Metric("bytes", "lower", "memory"),
    "argument_bytes": Metric("bytes", "lower", "memory"),
    "output_bytes": Metric("bytes", "lower", "memory"),
    "generated_code_bytes": Metric("bytes", "lower", "memory"),
    "flops": Metric("flop", "lower", "counter"),
    "bytes_accessed": Metric("bytes", "lower", "counter"),
    "transcendentals": Metric("operations", "lower", "counter"),
    "hlo_instructions": Metric("instructions", "lower", "counter"),
    "hlo_fingerprint": Metric("hash", "equal", "counter"),
    "retraces": Metric("traces", "lower", "counter"),
    "value": Metric("loss", "equal", "result"),
    "result_digest": Metric("hash", "equal", "result"),
    "differing_repeats": Metric("arrays", "lower", "counter"),
    "differing_processes": Metric("arrays", "lower", "counter"),
    "value_error": Metric("relative", "lower", "accuracy"),
    "gradient_error": Metric("relative", "lower", "accuracy"),
    "neighbor_error": Metric("relative", "lower", "accuracy"),
    "block_size_error": Metric("relative", "lower", "accuracy"),
    "finite_difference_error": Metric("relative", "lower", "accuracy"),
}


class Record(NamedTuple):
    """One measurement: a row of the tidy frame that the reports read."""

    benchmark: str
    loss: str
    transform: str
    cells: str
    n_cells: int
    dtype: str
    device: str
    metric: str
    value: float | str | None
    samples: Sequence[float] = ()
    status: str = "ok"
    detail: str = ""

    def row(self) -> dict[str, Any]:
        """The record with its metric's unit and direction."""
        metric = METRICS[self.metric]
        return {**self._asdict(), "unit": metric.unit, "better": metric.better}


class Ratio(NamedTuple):
    """Ours against one other, from calls in turn; the ratio is ours over the other's."""

    loss: str
    transform: str
    n_cells: int
    other: str
    ours_seconds: float
    other_seconds: float
    ratio: float
    ratio_low: float
    ratio_high: float
    temp_bytes: int
    input_bytes: int
    n_rounds: int


def write_json(path: Path, content: Any) -> None:
    """Write a JSON file, completely or not at all."""
    write_text(path, json.dumps(content, indent=1, allow_nan=False))


def write_text(path: Path, text: str) -> None:
    """Write a file, completely or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f"{path.name}.{os.getpid()}.part")
    try:
        temporary.write_text(text)
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)
