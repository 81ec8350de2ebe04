"""Compilation: seconds of each phase, cold and warm, and what the compiler made."""

from benchmarks._asv import Swept, tracked
from benchmarks.schema.suite import DEVICES, PROGRAMS, SMALLEST_CELLS


class Compile(Swept):
    track_trace_seconds = tracked("trace_seconds")
    track_lower_seconds = tracked("lower_seconds")
    track_compile_seconds = tracked("compile_seconds")
    track_warm_compile_seconds = tracked("warm_compile_seconds")


class Retraces(Swept):
    """How often a call with new values of the same shapes traces again, at one size."""

    params = (PROGRAMS, SMALLEST_CELLS, DEVICES)
    track_retraces = tracked("retraces")


class Counters(Swept):
    track_flops = tracked("flops")
    track_bytes_accessed = tracked("bytes_accessed")
    track_transcendentals = tracked("transcendentals")
    track_hlo_instructions = tracked("hlo_instructions")
    track_hlo_fingerprint = tracked("hlo_fingerprint")
