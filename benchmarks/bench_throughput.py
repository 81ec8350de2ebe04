"""Time per cell from the sweep, single calls measured by asv itself, and imports."""

from benchmarks._asv import OwnProcess, Swept, tracked
from benchmarks.schema.suite import BENCHMARK_VERSION, DEVICES, OWN_PROCESS_PROGRAMS


class Throughput(Swept):
    track_ns_per_cell = tracked("ns_per_cell")
    track_limit_ratio = tracked("lower_bound_ratio")


class Call(OwnProcess):
    """One call of the compiled program, which has its inputs and waits for its outputs."""

    params = (OWN_PROCESS_PROGRAMS, (4096,), DEVICES)
    number = 1
    repeat = (10, 20, 1.0)
    rounds = 2
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
    number = 1
    repeat = 3
    rounds = 1
    version = BENCHMARK_VERSION

    def timeraw_losses(self) -> str:
        return "import diffbio.losses"

    def timeraw_nnx(self) -> str:
        return "from flax import nnx"
