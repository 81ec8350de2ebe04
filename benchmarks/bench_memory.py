"""Memory: of the compiled programs, and the peak of a process that calls one."""

from benchmarks.common import Swept, compiled_call, described, device_named, tracked
from benchmarks.names import DEVICES, OWN_PROCESS_CELLS, OWN_PROCESS_PROGRAMS


class Memory(Swept):
    track_temp_bytes = tracked("temp_bytes")
    track_argument_bytes = tracked("argument_bytes")
    track_output_bytes = tracked("output_bytes")
    track_generated_code_bytes = tracked("generated_code_bytes")


class Peak:
    """Everything that a process holds at its peak: imports, compiler, inputs and the call."""

    params = (OWN_PROCESS_PROGRAMS, OWN_PROCESS_CELLS, DEVICES)
    param_names = ("program", "n_cells", "device")
    timeout = 600
    version = "1"

    def setup(self, program, n_cells, device):
        self.call = compiled_call(program, n_cells, device)

    def peakmem_call(self, program, n_cells, device):
        self.call()


class DevicePeak:
    """The peak on the device; the CPU keeps no such count, its peak is the process's."""

    params = (OWN_PROCESS_PROGRAMS, OWN_PROCESS_CELLS, DEVICES)
    param_names = ("program", "n_cells", "device")
    timeout = 600

    def setup(self, program, n_cells, device):
        if device == "cpu":
            raise NotImplementedError("the peak on a CPU is that of the process")
        self.call = compiled_call(program, n_cells, device)

    @described(unit="bytes", version="1")
    def track_peak_bytes_in_use(self, program, n_cells, device):
        self.call()
        return device_named(device).memory_stats()["peak_bytes_in_use"]
