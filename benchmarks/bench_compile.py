"""Compilation: cold seconds of each phase, and what the compiler made."""

from benchmarks.common import Swept, tracked


class Compile(Swept):
    track_trace_seconds = tracked("trace_seconds")
    track_lower_seconds = tracked("lower_seconds")
    track_compile_seconds = tracked("compile_seconds")
    track_retraces = tracked("retraces")


class Counters(Swept):
    track_flops = tracked("flops")
    track_bytes_accessed = tracked("bytes_accessed")
    track_transcendentals = tracked("transcendentals")
    track_hlo_instructions = tracked("hlo_instructions")
    track_hlo_fingerprint = tracked("hlo_fingerprint")
