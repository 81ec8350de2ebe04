"""Losses over several devices: what each device holds, computes and sends, read off the program.

The programs are compiled for virtual devices, into which only a fresh process can divide its
CPU. None of them runs, so that the figures are the same every time.
"""

import inspect
from collections.abc import Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from multiprocessing import get_context
from typing import Any

import jax
from jax import dtypes
from jax.sharding import NamedSharding, PartitionSpec

from benchmarks.catalog.cases import Case, case
from benchmarks.measure.checkpoint import Measured
from benchmarks.measure.communication import communication_of
from benchmarks.measure.cost_model import COSTS, Spread, cost_of
from benchmarks.measure.processes import end_with_parent
from benchmarks.measure.programs import keeping_programs_in
from benchmarks.measure.steps import Step
from benchmarks.measure.work import work_of
from benchmarks.schema.records import Record, Source
from benchmarks.schema.suite import MESHES

__all__ = ["Scaling", "measure_scaling", "spread"]

# Numbers of cells, and the names of the devices that they are spread over.
Scaling = Sequence[tuple[int, str]]

_TRANSFORM = "value_and_grad"
_PROCESSES = 2
_FEW_CELLS = 64
# What is counted is settled before machine code is made, which is half of the time if optimised.
_COMPILER_OPTIONS: dict[str, str | bool] = {"xla_backend_optimization_level": "0"}


def measure_scaling(scaling: Scaling, cases: Sequence[Case]) -> Measured:
    """The figures of one device, for the gradient of every loss."""
    steps = [Step(case, mesh, Source.SIMULATED, n) for case in cases for n, mesh in scaling]
    with ProcessPoolExecutor(_PROCESSES, get_context("spawn"), _divide_cpu) as workers:
        counted = [_submitted(workers, step) for step in steps]
        found = [_records(step, future) for step, future in zip(steps, counted, strict=True)]
    return Measured([record for records in found for record in records])


def _divide_cpu() -> None:
    """Initializer of a worker: its CPU is as many devices as the largest mesh has."""
    end_with_parent()
    jax.config.update("jax_platforms", "cpu")
    jax.config.update("jax_num_cpu_devices", max(MESHES.values()))


def _submitted(workers: ProcessPoolExecutor, step: Step) -> "Future[dict[str, int]] | None":
    """The figures, as soon as a worker has them; None for a loss that cannot be spread."""
    if "axis_name" not in inspect.signature(step.case.loss).parameters:
        return None
    return workers.submit(_counters, step.case.name, step.n_cells, MESHES[step.device])


def _records(step: Step, counted: "Future[dict[str, int]] | None") -> list[Record]:
    if counted is None:
        return [step.skipped(_TRANSFORM, "the loss accepts no axis_name")]
    try:
        return step.records(_TRANSFORM, {**counted.result(), **_modelled(step)})
    except Exception as error:
        return [step.failure(_TRANSFORM, "value", error)]


def _modelled(step: Step) -> dict[str, float]:
    """What the cost model says of several devices and of losses that it knows."""
    n_devices = MESHES[step.device]
    if step.case.name not in COSTS or n_devices == 1:
        return {}
    cost = cost_of(step.case.name, spread(step.case, step.n_cells, n_devices))
    return {
        "modelled_temp_bytes": float(cost.temp_bytes),
        "modelled_communicated_bytes": float(cost.communicated_bytes),
    }


def spread(case: Case, n_cells: int, n_devices: int) -> Spread:
    """The numbers that the cost model takes."""
    shapes = {name: array.shape[1:] for name, array in case.make_inputs(_FEW_CELLS).items()}
    (dim,) = shapes.get("embeddings") or shapes.get("expression") or (0,)
    (n_clusters,) = shapes.get("assignments", (0,))
    return Spread(n_cells, n_devices, dim, n_clusters)


def _counters(loss: str, n_cells: int, n_devices: int) -> dict[str, int]:
    """The figures of one of the devices; a case cannot be sent here, but its name can."""
    with keeping_programs_in(None):
        compiled = _compiled_over(case(loss), n_cells, n_devices)
    text = compiled.as_text()
    return {
        "temp_bytes": compiled.memory_analysis().temp_size_in_bytes,
        "flops": work_of(text).flops,
        **vars(communication_of(text)),
    }


def _compiled_over(case: Case, n_cells: int, n_devices: int) -> Any:
    """The loss with its gradient, for cells that are split over the devices."""
    # The library of an older commit, which asv measures too, has none.
    from diffbio.sharding import sharded

    mesh = jax.make_mesh((n_devices,), ("cells",), devices=jax.devices()[:n_devices])
    split = NamedSharding(mesh, PartitionSpec("cells"))
    arrays = {
        name: jax.ShapeDtypeStruct(
            (n_cells, *few.shape[1:]), dtypes.canonicalize_dtype(few.dtype), sharding=split
        )
        for name, few in case.make_inputs(_FEW_CELLS).items()
    }
    differentiated = {name: arrays.pop(name) for name in case.differentiable}
    loss = sharded(case.loss, mesh)
    program = jax.jit(jax.value_and_grad(lambda d, constant: loss(**d, **constant)))
    return program.lower(differentiated, arrays).compile(compiler_options=_COMPILER_OPTIONS)
