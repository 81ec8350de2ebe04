"""Memory of the compiled programs, in bytes."""

from benchmarks.common import Swept, tracked


class Memory(Swept):
    track_temp_bytes = tracked("temp_bytes")
    track_argument_bytes = tracked("argument_bytes")
    track_output_bytes = tracked("output_bytes")
    track_generated_code_bytes = tracked("generated_code_bytes")
