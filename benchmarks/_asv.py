"""What the asv benchmarks share: they run one sweep in one process and look up its records.

asv starts a process per benchmark and parameter. Measuring in each of them would spend
hours on starting alone. asv forks the processes off a server that has imported the suite,
which saves seconds in each. That is safe as long as no module uses JAX while it is
imported, since JAX's backends start threads.
"""

import functools
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from benchmarks.schema.metrics import METRICS
from benchmarks.schema.records import Status
from benchmarks.schema.suite import (
    BENCHMARK_VERSION,
    CELL_COUNTS,
    DEVICES,
    OWN_PROCESS_CELLS,
    OWN_PROCESS_PROGRAMS,
    PROGRAMS,
    TRACKED_SCALING,
    benchmark_version,
)

__all__ = ["OwnProcess", "Swept", "device_named", "tracked", "with_attributes"]

Table = dict[tuple[Any, ...], Any]


def with_attributes(**attributes: Any) -> Callable[[Callable], Callable]:
    """Set what asv reads off a function: unit, version, setup, timeout."""

    def set_attributes(function: Callable) -> Callable:
        vars(function).update(attributes)
        return function

    return set_attributes


class Swept:
    """Base of the ``track_`` benchmarks: the whole sweep runs once, and they look up its values."""

    params: tuple[tuple, ...] = (PROGRAMS, CELL_COUNTS, DEVICES)
    param_names: tuple[str, ...] = ("program", "n_cells", "device")

    @with_attributes(timeout=3600)
    def setup_cache(self) -> Table:
        import json
        from pathlib import Path

        from benchmarks.measure.sweep.run import run_sweep

        path = Path("sweep.json").resolve()
        run_sweep(path, CELL_COUNTS, real=False, scaling=[TRACKED_SCALING])
        return swept_table(json.loads(path.read_bytes())["records"])


def swept_table(records: Iterable[Mapping[str, Any]]) -> Table:
    """Values by (metric, program, n_cells, device), first failures under "failure"."""
    table: Table = {}
    for record in records:
        where = (record["benchmark"], record["n_cells"], record["device"])
        if record["status"] == Status.FAILED:
            table.setdefault(("failure", *where), record["detail"])
        elif record["status"] == Status.OK:
            table[record["metric"], *where] = _number(record["value"])
    return table


def _number(value: float | str | None) -> float | None:
    """asv stores numbers; a fingerprint becomes the integer that it is in hexadecimal."""
    return int(value[:12], 16) if isinstance(value, str) else value


def tracked(metric: str) -> Callable[..., Any]:
    """A ``track_`` benchmark that returns the sweep's value of a metric.

    A value that was not measured is skipped. asv expects the error that says so from
    ``setup``; the same error from the benchmark itself would count as a failure.
    """

    def find(table: Table, *where: Any) -> Any:
        if (metric, *where) in table:
            return table[metric, *where]
        if ("failure", *where) in table:
            raise RuntimeError(table["failure", *where])
        raise NotImplementedError(f"{metric} was not measured for {where}")

    @with_attributes(unit=METRICS[metric].unit, version=benchmark_version(metric), setup=find)
    def look_up(self: Swept, table: Table, *where: Any) -> Any:
        return find(table, *where)

    return look_up


def device_named(name: str) -> Any:
    """The device of that name.

    A machine without NVIDIA's control device has no GPU. This check spares the seconds that
    importing JAX takes.

    Raises:
        NotImplementedError: there is none, which makes asv skip the benchmark.
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
def compiled_call(program: str, n_cells: int, device: str) -> Callable[[], Any]:
    """A call of the compiled program, which has its inputs and waits for its outputs.

    The process keeps the call, since asv runs ``setup`` before every sample.
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
    """Base of the benchmarks that asv measures itself, on a program that each process compiles."""

    params: tuple[tuple, ...] = (OWN_PROCESS_PROGRAMS, OWN_PROCESS_CELLS, DEVICES)
    param_names = ("program", "n_cells", "device")
    timeout = 600
    version = BENCHMARK_VERSION

    def setup(self, program: str, n_cells: int, device: str) -> None:
        self.call = compiled_call(program, n_cells, device)
