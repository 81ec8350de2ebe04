"""What each of several devices holds, computes and sends, read off the compiled program.

The programs are compiled for virtual devices, into which only a fresh process can divide its
CPU. None of them runs, so that the counters are the same every time.
"""

import inspect
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from typing import Any

import jax
from jax import dtypes
from jax.sharding import NamedSharding, PartitionSpec

from benchmarks.catalog.cases import Case, case
from benchmarks.measure.processes import end_with_parent
from benchmarks.measure.program_text.communication import communication_of
from benchmarks.measure.program_text.work import work_of
from benchmarks.measure.programs import keeping_programs_in
from benchmarks.schema.suite import MESHES

__all__ = ["can_be_split", "counters_of_a_device"]

_PROCESSES = 2
_FEW_CELLS = 64
# What is counted is settled before machine code is made, which is half of the time if optimised.
_COMPILER_OPTIONS: dict[str, str | bool] = {"xla_backend_optimization_level": "0"}


def can_be_split(case: Case) -> bool:
    """Whether the cells of a loss can be split over devices."""
    return "axis_name" in inspect.signature(case.loss).parameters


def counters_of_a_device(
    programs: Sequence[tuple[str, int, str]],
) -> "list[dict[str, int] | BaseException]":
    """The counters of one of the devices in each program, or what was raised.

    Args:
        programs: the loss, the number of cells and the devices, as a name in ``MESHES``. Each
            program gives the loss with its gradient.
    """
    with ProcessPoolExecutor(_PROCESSES, get_context("spawn"), _divide_cpu) as workers:
        futures = [workers.submit(_counters, *program) for program in programs]
        return [future.exception() or future.result() for future in futures]


def _divide_cpu() -> None:
    """Initializer of a worker: its CPU is as many devices as the largest mesh has."""
    end_with_parent()
    jax.config.update("jax_platforms", "cpu")
    jax.config.update("jax_num_cpu_devices", max(MESHES.values()))


def _counters(loss: str, n_cells: int, mesh: str) -> dict[str, int]:
    """The counters in a worker; a case cannot be sent there, but its name can."""
    with keeping_programs_in(None):
        compiled = _compiled_over(case(loss), n_cells, MESHES[mesh])
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
