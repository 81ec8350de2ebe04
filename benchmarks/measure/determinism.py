"""Whether a program gives the same again: in a second call, other blocks, another process."""

import os
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from functools import partial
from multiprocessing import get_context
from typing import Any

import jax

from benchmarks.catalog.cases import case
from benchmarks.measure.accuracy import differing_arrays, relative_error
from benchmarks.measure.checkpoint import Measured
from benchmarks.measure.programs import program
from benchmarks.measure.steps import Prepared, Step, prepared
from benchmarks.schema.records import Record
from benchmarks.schema.suite import TRANSFORMS

__all__ = ["compare_processes", "repeatability"]

# No divisor of the cell counts, and not what is chosen by itself.
_OTHER_BLOCK = 100


def repeatability(step: Step, transform: str, results: Any) -> list[Record]:
    """What a second call changes, and a search in other blocks, where there is one."""
    ready = prepared(step)[transform]
    records = [step.record(transform, "differing_repeats", differing_arrays(results, ready.call()))]
    if step.case.n_neighbors is not None and step.case.module is not None:
        error = _block_size_error(step, transform, ready, results)
        records.append(step.record(transform, "block_size_error", error))
    return records


def _block_size_error(step: Step, transform: str, ready: Prepared, results: Any) -> float:
    blocked = replace(step.case, loss=partial(step.case.loss, block_size=_OTHER_BLOCK))
    device = jax.devices(step.device)[0]
    other = program(blocked, transform, ready.program.arrays, device)
    found = jax.jit(other.function)(*other.arguments)
    pairs = zip(jax.tree.leaves(found), jax.tree.leaves(results), strict=True)
    return max(relative_error(one, two) for one, two in pairs)


def compare_processes(steps: Sequence[Step]) -> Measured:
    """How many arrays a fresh process, which compiles again, returns with other bits."""
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as elsewhere:
        return Measured([record for step in steps for record in _compare(step, elsewhere)])


def _compare(step: Step, elsewhere: ProcessPoolExecutor) -> list[Record]:
    metric = "differing_processes"
    place = (step.case.name, step.device, step.source, step.n_cells)
    try:
        there = elsewhere.submit(_results_of_named, *place).result()
        here = _results(step)
    except Exception as error:
        return [step.failure(transform, metric, error) for transform in TRANSFORMS]
    return [
        step.record(transform, metric, differing_arrays(found, there[transform]))
        for transform, found in here.items()
    ]


def _results_of_named(loss: str, *place: Any) -> dict[str, Any]:
    """The results in a worker, to which a case cannot be sent but its name can."""
    # The measuring process may have reserved most of a GPU's memory.
    os.environ["XLA_PYTHON_CLIENT_PREALLOCATE"] = "false"
    return _results(Step(case(loss), *place))


def _results(step: Step) -> dict[str, Any]:
    """What the transforms return, on the host."""
    return {transform: jax.device_get(ready.call()) for transform, ready in prepared(step).items()}
