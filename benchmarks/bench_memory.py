"""Memory of the compiled programs, and the peak of a process that calls one."""

from typing import Any

from benchmarks._asv import OwnProcess, Swept, device_named, tracked, with_attributes


class Memory(Swept):
    track_temp_bytes = tracked("temp_bytes")
    track_argument_bytes = tracked("argument_bytes")
    track_output_bytes = tracked("output_bytes")
    track_generated_code_bytes = tracked("generated_code_bytes")


class Peak(OwnProcess):
    """Everything that a process holds at its peak: imports, compiler, inputs and the call."""

    def peakmem_call(self, program: str, n_cells: int, device: str) -> None:
        self.call()


class DevicePeak(OwnProcess):
    """The peak on the device. A CPU keeps no such count; its peak is that of the process."""

    def setup(self, program: str, n_cells: int, device: str) -> None:
        if device == "cpu":
            raise NotImplementedError("the peak on a CPU is that of the process")
        super().setup(program, n_cells, device)

    @with_attributes(unit="bytes")
    def track_peak_bytes_in_use(self, program: str, n_cells: int, device: str) -> Any:
        self.call()
        return device_named(device).memory_stats()["peak_bytes_in_use"]
