"""What each number of a measurement means: its unit, its better direction, its kind."""

from collections.abc import Mapping
from enum import StrEnum
from typing import NamedTuple

__all__ = ["METRICS", "Direction", "Kind", "Metric"]


class Direction(StrEnum):
    """Which values of a metric are better; for ``EQUAL``, values are the same or changed."""

    LOWER = "lower"
    HIGHER = "higher"
    EQUAL = "equal"


class Kind(StrEnum):
    """What a metric belongs to, which decides how it is judged."""

    COMPILE = "compile"
    TIME = "time"
    PEAK = "peak"
    MEMORY = "memory"
    COUNTER = "counter"
    RESULT = "result"
    ACCURACY = "accuracy"


class Metric(NamedTuple):
    """What a number means."""

    unit: str
    better: Direction
    kind: Kind


METRICS: Mapping[str, Metric] = {
    "trace_seconds": Metric("s", Direction.LOWER, Kind.COMPILE),
    "lower_seconds": Metric("s", Direction.LOWER, Kind.COMPILE),
    "compile_seconds": Metric("s", Direction.LOWER, Kind.COMPILE),
    "warm_compile_seconds": Metric("s", Direction.LOWER, Kind.COMPILE),
    # All phases of a cold compilation.
    "cold_compile_seconds": Metric("s", Direction.LOWER, Kind.COMPILE),
    "call_seconds": Metric("s", Direction.LOWER, Kind.TIME),
    "ns_per_cell": Metric("ns", Direction.LOWER, Kind.TIME),
    "cells_per_second": Metric("cells/s", Direction.HIGHER, Kind.TIME),
    "lower_bound_seconds": Metric("s", Direction.LOWER, Kind.TIME),
    "lower_bound_ratio": Metric("ratio", Direction.LOWER, Kind.TIME),
    "steps_per_second": Metric("steps/s", Direction.HIGHER, Kind.TIME),
    "loss_share": Metric("share", Direction.LOWER, Kind.TIME),
    "import_seconds": Metric("s", Direction.LOWER, Kind.TIME),
    "peak_memory_bytes": Metric("bytes", Direction.LOWER, Kind.PEAK),
    "peak_bytes_in_use": Metric("bytes", Direction.LOWER, Kind.PEAK),
    "temp_bytes": Metric("bytes", Direction.LOWER, Kind.MEMORY),
    "argument_bytes": Metric("bytes", Direction.LOWER, Kind.MEMORY),
    "output_bytes": Metric("bytes", Direction.LOWER, Kind.MEMORY),
    "generated_code_bytes": Metric("bytes", Direction.LOWER, Kind.MEMORY),
    "flops": Metric("flop", Direction.LOWER, Kind.COUNTER),
    "bytes_accessed": Metric("bytes", Direction.LOWER, Kind.COUNTER),
    "transcendentals": Metric("operations", Direction.LOWER, Kind.COUNTER),
    "hlo_instructions": Metric("instructions", Direction.LOWER, Kind.COUNTER),
    "hlo_fingerprint": Metric("hash", Direction.EQUAL, Kind.COUNTER),
    # What a device communicates in a program of several.
    "communicated_bytes": Metric("bytes", Direction.LOWER, Kind.COUNTER),
    "messages": Metric("messages", Direction.LOWER, Kind.COUNTER),
    "ring_rounds": Metric("rounds", Direction.LOWER, Kind.COUNTER),
    "retraces": Metric("traces", Direction.LOWER, Kind.COUNTER),
    "value": Metric("loss", Direction.EQUAL, Kind.RESULT),
    "result_digest": Metric("hash", Direction.EQUAL, Kind.RESULT),
    "differing_repeats": Metric("arrays", Direction.LOWER, Kind.COUNTER),
    "differing_processes": Metric("arrays", Direction.LOWER, Kind.COUNTER),
    "value_error": Metric("relative", Direction.LOWER, Kind.ACCURACY),
    "gradient_error": Metric("relative", Direction.LOWER, Kind.ACCURACY),
    "neighbor_error": Metric("relative", Direction.LOWER, Kind.ACCURACY),
    "block_size_error": Metric("relative", Direction.LOWER, Kind.ACCURACY),
    "finite_difference_error": Metric("relative", Direction.LOWER, Kind.ACCURACY),
}
