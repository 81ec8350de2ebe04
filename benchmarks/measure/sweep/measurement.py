"""The measurements of one step except its times: compilation, bits, accuracy, repeatability."""

import math
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, NamedTuple

import jax

from benchmarks.catalog.cases import Case
from benchmarks.measure.checkpoint import Measured
from benchmarks.measure.programs import compile_warm, count_retraces, counters
from benchmarks.measure.sweep.accuracy import (
    differing_arrays,
    digest,
    gradient_v_curve,
    neighbor_error,
    reference_errors,
    reference_results,
)
from benchmarks.measure.sweep.determinism import (
    largest_difference,
    outputs_in_other_blocks,
    takes_blocks,
)
from benchmarks.measure.sweep.steps import Step
from benchmarks.measure.sweep.workbench import Outputs, Prepared, Workbench
from benchmarks.schema.records import Record, Source
from benchmarks.schema.suite import CHECKED_CELLS, REFERENCE_CELLS, TRANSFORMS

__all__ = ["Wanted", "check_gradient", "measure_step"]


class Wanted(NamedTuple):
    """What is measured of a step besides its results and their errors.

    Attributes:
        compilation: what the compiler made of the programs.
        times: how long that took; only where the compilation is measured, too.
        retraces: their number, for which each program is traced once more.
        other_blocks: a search in other blocks, which compiles it once more, too.
    """

    compilation: bool = True
    times: bool = True
    retraces: bool = True
    other_blocks: bool = True


_EVERYTHING = Wanted()


def measure_step(bench: Workbench, step: Step, wanted: Wanted = _EVERYTHING) -> Measured:
    """Measure everything of a step except the times of its calls.

    Where a metric cannot be measured, its record says why.

    Args:
        bench: keeps the compiled programs for later measurements.
        step: the loss, its cells and the device.
        wanted: what is measured.
    """
    if reason := bench.obstacle(step):
        return Measured([step.skipped(transform, reason) for transform in TRANSFORMS])
    try:
        return _measure(bench, step, wanted)
    except Exception as error:
        return Measured([step.failure(transform, "value", error) for transform in TRANSFORMS])


def _measure(bench: Workbench, step: Step, wanted: Wanted) -> Measured:
    prepared = bench.prepared(step)
    outputs = {name: ready.outputs() for name, ready in prepared.programs.items()}
    records: list[Record] = []
    for transform, ready in prepared.programs.items():
        if wanted.compilation:
            records += _counters(step, ready)
        if wanted.compilation and wanted.times:
            records += _phases(step, ready)
        records += _bits(step, ready, outputs[transform])
        if wanted.retraces:
            count = partial(count_retraces, ready.program)
            records.append(_attempt(step, transform, "retraces", count))
    if wanted.other_blocks and takes_blocks(step.case):
        records += _block_size_errors(step, prepared.programs["value_and_grad"], outputs)
    if step.n_cells <= REFERENCE_CELLS:
        records += _accuracy(bench, step, prepared.programs["value_and_grad"], outputs)
    return Measured(records, digests=prepared.digests)


def _block_size_errors(step: Step, ready: Prepared, outputs: Mapping[str, Outputs]) -> list[Record]:
    """What other blocks change in each transform; the gradient's program has the value, too."""
    metric = "block_size_error"
    try:
        other = outputs_in_other_blocks(step, ready)
    except Exception as error:
        return [step.failure(transform, metric, error) for transform in outputs]
    return [
        step.record(transform, metric, largest_difference(other, output))
        for transform, output in outputs.items()
    ]


def _attempt(step: Step, transform: str, metric: str, measure: Callable[[], Any]) -> Record:
    """One record, of the value or of the failure to measure it."""
    try:
        return step.record(transform, metric, measure())
    except Exception as error:
        return step.failure(transform, metric, error)


def _counters(step: Step, ready: Prepared) -> list[Record]:
    """What the compiled program is made of."""
    try:
        return step.records(ready.transform, counters(ready.phases.compiled))
    except Exception as error:
        return [step.failure(ready.transform, "hlo_instructions", error)]


def _phases(step: Step, ready: Prepared) -> list[Record]:
    """Seconds of the phases of the compilation, and of one whose program is kept already."""
    seconds = ready.phases._asdict()
    del seconds["compiled"]
    warm = partial(compile_warm, ready.program)
    return [
        *step.records(ready.transform, seconds),
        _attempt(step, ready.transform, "warm_compile_seconds", warm),
    ]


def _bits(step: Step, ready: Prepared, outputs: Outputs) -> list[Record]:
    """The value, a hash of every bit, and how many arrays a second call changes."""
    measures: dict[str, Callable[[], Any]] = {
        "value": lambda: float(outputs.value),
        "result_digest": lambda: digest(outputs),
        "differing_repeats": lambda: differing_arrays(outputs, ready.outputs()),
    }
    return [_attempt(step, ready.transform, name, measure) for name, measure in measures.items()]


def _accuracy(
    bench: Workbench, step: Step, ready: Prepared, outputs: Mapping[str, Outputs]
) -> list[Record]:
    """Errors against the reference, which sees the neighbours that the library found.

    The neighbours of a loss that searches are compared with the reference's.
    """
    case, records = step.case, list[Record]()
    points = ready.program.arrays[case.differentiable[0]]
    found = None
    try:
        if case.n_neighbors is not None:
            found = bench.found_neighbors(points, case.n_neighbors)
        expected = reference_results(case, jax.device_get(ready.program.arrays), found)
    except Exception as error:
        return [step.failure(transform, "value_error", error) for transform in outputs]
    if found is not None:
        compare = partial(neighbor_error, points, found, bench.expected_neighbors)
        records.append(_attempt(step, ready.transform, "neighbor_error", compare))
    for transform, output in outputs.items():
        records += step.records(transform, reference_errors(expected, *output))
    return records


def check_gradient(case: Case) -> Measured:
    """The plateau of the finite differences, and their curve if the loss did not fail."""
    at = Step(case, "cpu", Source.SIMULATED, CHECKED_CELLS)
    program_and_metric = ("value_and_grad", "finite_difference_error")
    try:
        curve = gradient_v_curve(case, n_cells=CHECKED_CELLS)
    except Exception as error:
        return Measured([at.failure(*program_and_metric, error, dtype="float64")])
    odd = [error for error in curve["errors"] if not math.isfinite(error)]
    record = at.record(*program_and_metric, odd[0] if odd else curve["plateau"], dtype="float64")
    return Measured([record], v_curves=[] if odd else [curve])
