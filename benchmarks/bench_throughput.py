"""Time per cell from the sweep, and single calls measured by asv itself."""

from benchmarks.common import Swept, tracked
from benchmarks.names import DEVICES, PROGRAMS


class Throughput(Swept):
    track_ns_per_cell = tracked("ns_per_cell")


class Call:
    """One call of the compiled program, blocked on inputs and outputs."""

    params = (PROGRAMS, (4096,), DEVICES)
    param_names = ("program", "n_cells", "device")
    timeout = 300
    number = 1
    repeat = (5, 20, 3.0)
    rounds = 1
    warmup_time = 0
    version = "1"

    def setup(self, program, n_cells, device):
        import jax

        from benchmarks.catalog import case
        from benchmarks.measure import compile_cold
        from benchmarks.measure import program as prepare

        try:
            target = jax.devices(device)[0]
        except RuntimeError as absent:
            raise NotImplementedError(f"no {device} here") from absent
        loss, transform = program.split(":")
        prepared = prepare(case(loss), transform, case(loss).make_inputs(n_cells), target)
        self.block = jax.block_until_ready
        self.compiled = compile_cold(prepared).compiled
        self.arguments = (prepared.differentiated, prepared.constant)
        self.block(self.compiled(*self.arguments))

    def time_call(self, program, n_cells, device):
        self.block(self.compiled(*self.arguments))
