"""What must be the same for two sweeps to be compared."""

from typing import Any

from benchmarks.schema.environment import JAX_SETTINGS
from reports.sources.sweep_file import ReadSweep

__all__ = ["IncomparableError", "compiled_with"]


class IncomparableError(ValueError):
    """There is nothing that these measurements could be compared with; the message says why."""


def compiled_with(results: ReadSweep) -> dict[str, Any]:
    """What the compiled programs depend on, besides the code.

    Experiments show that on a CPU no counter depends on the instruction set
    (``--xla_cpu_max_isa``). Only the fingerprint depends on the number of cores, over which
    XLA partitions its loops.
    """
    environment = results.environment
    packages = environment["packages"]
    return {
        "backend": environment["devices"][0].split(":")[0],
        "jax": packages["jax"],
        "jaxlib": packages["jaxlib"],
        "xla_flags": environment["xla_flags"],
        **{name: environment[name] for name in JAX_SETTINGS},
    }
