"""Time per cell from the sweep, single calls measured by asv itself, and imports."""

from benchmarks.common import Swept, compiled_call, tracked
from benchmarks.names import CELL_COUNTS, DEVICES, OWN_PROCESS_PROGRAMS


class Throughput(Swept):
    track_ns_per_cell = tracked("ns_per_cell")
    track_limit_ratio = tracked("limit_ratio")


class Call:
    """One call of the compiled program, blocked on inputs and outputs."""

    params = (OWN_PROCESS_PROGRAMS, tuple(n for n in CELL_COUNTS if n == 4096), DEVICES)
    param_names = ("program", "n_cells", "device")
    timeout = 600
    number = 1
    repeat = (10, 20, 1.0)
    rounds = 2
    warmup_time = 0
    sample_time = 0
    version = "1"

    def setup(self, program, n_cells, device):
        self.call = compiled_call(program, n_cells, device)
        self.call()

    def time_call(self, program, n_cells, device):
        self.call()


class Import:
    """A fresh process that imports the losses, and one that imports NNX alone."""

    timeout = 120
    number = 1
    repeat = 3
    rounds = 1
    version = "1"

    def timeraw_losses(self):
        return "import diffbio.losses"

    def timeraw_nnx(self):
        return "from flax import nnx"
