"""Time per cell from the sweep, single calls measured by asv itself, and imports."""

from benchmarks._asv import OwnProcess, Swept, tracked
from benchmarks.schema.suite import (
    CALLS_PER_PROCESS,
    DEVICES,
    OWN_PROCESS_PROGRAMS,
    PROCESSES,
    benchmark_version,
)


class Throughput(Swept):
    track_ns_per_cell = tracked("ns_per_cell")
    track_limit_ratio = tracked("lower_bound_ratio")


class Call(OwnProcess):
    """One call of the compiled program, which has its inputs and waits for its outputs."""

    params = (OWN_PROCESS_PROGRAMS, (4096,), DEVICES)
    version = benchmark_version("call_seconds")
    number = 1
    repeat = CALLS_PER_PROCESS
    rounds = PROCESSES
    warmup_time = 0
    sample_time = 0

    def setup(self, program: str, n_cells: int, device: str) -> None:
        super().setup(program, n_cells, device)
        self.call()

    def time_call(self, program: str, n_cells: int, device: str) -> None:
        self.call()


class Import:
    """A fresh process that imports the losses, and one that imports NNX alone."""

    timeout = 120
    version = benchmark_version("import_seconds")
    number = 1
    repeat = 1
    rounds = PROCESSES
    warmup_time = 0

    def timeraw_losses(self) -> str:
        return "import diffbio.losses"

    def timeraw_nnx(self) -> str:
        return "from flax import nnx"
