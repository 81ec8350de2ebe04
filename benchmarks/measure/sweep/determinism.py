"""Whether outputs stay the same in other blocks, and in another process."""

import os
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from functools import partial
from multiprocessing import get_context
from typing import Any

import jax

from benchmarks.catalog.cases import Case, case
from benchmarks.measure.checkpoint import Measured
from benchmarks.measure.processes import end_with_parent
from benchmarks.measure.programs import program
from benchmarks.measure.sweep.accuracy import differing_arrays, relative_error, worst
from benchmarks.measure.sweep.steps import Step
from benchmarks.measure.sweep.workbench import Outputs, Prepared, Workbench, named_outputs
from benchmarks.schema.records import Record
from benchmarks.schema.suite import TRANSFORMS

__all__ = ["compare_processes", "largest_difference", "outputs_in_other_blocks", "takes_blocks"]

# This size divides no cell count, and the search does not choose it by default.
_OTHER_BLOCK = 100


def takes_blocks(case: Case) -> bool:
    """Whether the loss searches by itself, in blocks of rows that a caller may choose."""
    return case.n_neighbors is not None and case.module is not None


def outputs_in_other_blocks(step: Step, ready: Prepared) -> Outputs:
    """What the program returns if it searches in other blocks."""
    blocked = replace(step.case, loss=partial(step.case.loss, block_size=_OTHER_BLOCK))
    device = jax.devices(step.device)[0]
    other = program(blocked, ready.transform, ready.program.arrays, device)
    return named_outputs(ready.transform, jax.jit(other.function)(*other.arguments))


def largest_difference(other: Outputs, outputs: Outputs) -> float:
    """The worst relative difference of the value, and of the gradients that both have."""
    of_gradients = [
        relative_error(other.gradients[name], gradient)
        for name, gradient in outputs.gradients.items()
    ]
    return worst([relative_error(other.value, outputs.value), *of_gradients])


def compare_processes(bench: Workbench, steps: Sequence[Step]) -> Measured:
    """How many arrays a fresh process, which compiles again, returns with other bits."""
    worker = ProcessPoolExecutor(1, mp_context=get_context("spawn"), initializer=end_with_parent)
    with worker:
        return Measured([record for step in steps for record in _compare(bench, step, worker)])


def _compare(bench: Workbench, step: Step, worker: ProcessPoolExecutor) -> list[Record]:
    metric = "differing_processes"
    try:
        other = worker.submit(_outputs_of_named, step.case.name, *step[1:]).result()
        own = _outputs(bench, step)
    except Exception as error:
        return [step.failure(transform, metric, error) for transform in TRANSFORMS]
    return [
        step.record(transform, metric, differing_arrays(found, other[transform]))
        for transform, found in own.items()
    ]


def _outputs_of_named(loss: str, *device_and_cells: Any) -> dict[str, Outputs]:
    """The outputs in a worker process; a case cannot be sent there, but its name can."""
    # The measuring process may have reserved most of a GPU's memory.
    os.environ["XLA_PYTHON_CLIENT_PREALLOCATE"] = "false"
    return _outputs(Workbench(), Step(case(loss), *device_and_cells))


def _outputs(bench: Workbench, step: Step) -> dict[str, Outputs]:
    """What the transforms return, on the host."""
    programs = bench.prepared(step).programs
    return {transform: jax.device_get(ready.outputs()) for transform, ready in programs.items()}
