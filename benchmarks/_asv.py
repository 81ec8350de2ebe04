"""What the asv benchmarks share: one sweep in one process, and looking its records up.

asv starts a process per benchmark and parameter, so that measuring in each would spend
hours on starting alone. It forks them off a server that has imported the suite (seconds
saved each); that is safe as long as no module uses JAX while it is imported, since it is
JAX's backends that start threads.
"""

import functools

from benchmarks.schema.metrics import METRICS
from benchmarks.schema.suite import (
    BENCHMARK_VERSION,
    CELL_COUNTS,
    DEVICES,
    OWN_PROCESS_CELLS,
    OWN_PROCESS_PROGRAMS,
    PROGRAMS,
    benchmark_version,
)

__all__ = ["OwnProcess", "Swept", "described", "device_named", "tracked"]


def described(**attributes):
    """Set what asv reads off a function: unit, version, setup, timeout."""

    def describe(function):
        vars(function).update(attributes)
        return function

    return describe


class Swept:
    """Base of the ``track_`` benchmarks: the whole sweep runs once, they look up."""

    params: tuple[tuple, ...] = (PROGRAMS, CELL_COUNTS, DEVICES)
    param_names: tuple[str, ...] = ("program", "n_cells", "device")

    @described(timeout=3600)
    def setup_cache(self):
        import json
        from pathlib import Path

        from benchmarks.measure.sweep import run_sweep

        path = Path("sweep.json").resolve()
        run_sweep(path, CELL_COUNTS, whole=False)
        return swept_table(json.loads(path.read_text())["records"])


def swept_table(records):
    """Values by (metric, program, n_cells, device), and failures under "failure"."""
    table = {}
    for record in records:
        where = (record["benchmark"], record["n_cells"], record["device"])
        if record["status"] == "failed":
            table["failure", *where] = record["detail"]
        elif record["status"] == "ok":
            table[record["metric"], *where] = _number(record["value"])
    return table


def _number(value):
    """asv stores numbers; a fingerprint becomes the integer that it is in hexadecimal."""
    return int(value[:12], 16) if isinstance(value, str) else value


def tracked(metric):
    """A ``track_`` benchmark that returns the sweep's value of a metric.

    What was not measured is skipped, which asv wants to hear from ``setup``: the same
    error from the benchmark itself would count as a failure.
    """

    def find(table, *where):
        if ("failure", *where) in table:
            raise RuntimeError(table["failure", *where])
        if (metric, *where) not in table:
            raise NotImplementedError(f"{metric} was not measured for {where}")
        return table[metric, *where]

    @described(unit=METRICS[metric].unit, version=benchmark_version(metric), setup=find)
    def look_up(self, table, *where):
        return find(table, *where)

    return look_up


def device_named(name):
    """The device, or asv's sign that the benchmark is to be skipped.

    A machine without NVIDIA's control device has no GPU, which is known without the
    seconds that importing JAX takes.
    """
    from pathlib import Path

    if name == "gpu" and not Path("/dev/nvidiactl").exists():
        raise NotImplementedError("no gpu here")
    import jax

    try:
        return jax.devices(name)[0]
    except RuntimeError as absent:
        raise NotImplementedError(f"no {name} here") from absent


@functools.cache
def compiled_call(program, n_cells, device):
    """A call of the compiled program, blocked on its inputs, that blocks on its outputs.

    Kept for the process, since asv runs ``setup`` before every sample.
    """
    target = device_named(device)
    import jax

    from benchmarks.catalog.cases import case
    from benchmarks.measure.programs import compile_cold, lacking_memory
    from benchmarks.measure.programs import program as prepare

    loss, transform = program.split(":")
    if lacking := lacking_memory(case(loss), n_cells):
        raise NotImplementedError(lacking)
    prepared = prepare(case(loss), transform, case(loss).make_inputs(n_cells), target)
    compiled = compile_cold(prepared).compiled
    return lambda: jax.block_until_ready(compiled(*prepared.arguments))


class OwnProcess:
    """Base of what asv measures itself, on a program that each process compiles."""

    params: tuple[tuple, ...] = (OWN_PROCESS_PROGRAMS, OWN_PROCESS_CELLS, DEVICES)
    param_names = ("program", "n_cells", "device")
    timeout = 600
    version = BENCHMARK_VERSION

    def setup(self, program, n_cells, device):
        self.call = compiled_call(program, n_cells, device)
