"""Everything measured once, in one process: the records that asv and the report read."""

import math
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import jax
import numpy as np
from tqdm import tqdm

from benchmarks.catalog.cases import CATALOG, Case, real_cells, simulated_cells
from benchmarks.claims import CLAIMS, examine
from benchmarks.measure.accuracy import (
    digest,
    gradient_v_curve,
    neighbor_error,
    reference_errors,
    reference_results,
    relative_error,
)
from benchmarks.measure.checkpoint import Measured, Sheet
from benchmarks.measure.determinism import compare_processes, repeatability
from benchmarks.measure.environment import environment
from benchmarks.measure.programs import CompilePhases, compile_warm, count_retraces, counters
from benchmarks.measure.steps import Step, obstacle, prepared, steps_on
from benchmarks.measure.timing import measure_times
from benchmarks.schema.records import Record, Source
from benchmarks.schema.suite import CELL_COUNTS, CHECKED_CELLS, DEVICES, REFERENCE_CELLS, TRANSFORMS
from diffbio.neighbors import nearest_neighbors

__all__ = ["check_gradient", "run_sweep", "sweep"]


def run_sweep(path: Path, cell_counts: Sequence[int], *, whole: bool = True) -> None:
    """Measure the whole catalog into a file, which is written after every step.

    Where the file holds the beginning of the same sweep, only what is missing is measured.
    A sweep that is not whole leaves out the real cells and the document's claims.
    """
    tasks = _tasks(cell_counts, whole=whole)
    sheet = Sheet(path, environment(), list(tasks))
    left = sheet.unfinished
    n_done = len(tasks) - len(left)
    with tqdm(total=len(tasks), initial=n_done, unit="step", dynamic_ncols=True) as progress:
        for name in left:
            progress.set_description(name)
            sheet.add(name, tasks[name]())
            progress.update()


def _tasks(cell_counts: Sequence[int], *, whole: bool) -> dict[str, Callable[[], Measured]]:
    """What a sweep does, by name and in order; the times of all steps come together."""
    tasks: dict[str, Callable[[], Measured]] = {}
    for device in DEVICES:
        steps = steps_on(device, cell_counts, real=whole)
        tasks |= {
            f"{step.case.name} {step.source} {step.n_cells} {device}": partial(sweep, step)
            for step in steps
        }
        again = [step for step in steps if step.n_cells == CELL_COUNTS[0]]
        tasks[f"second process {device}"] = partial(_of_possible, compare_processes, again)
        tasks[f"times {device}"] = partial(_of_possible, measure_times, steps)
    tasks |= {f"{case.name} gradient check": partial(check_gradient, case) for case in CATALOG}
    if whole:
        tasks["claims"] = lambda: Measured([], claims=[examine(claim) for claim in CLAIMS])
    return tasks


def _of_possible(measure: Callable[[Sequence[Step]], Measured], steps: Sequence[Step]) -> Measured:
    """The measurement of the steps that this machine can do; what it cannot, `sweep` says."""
    return measure([step for step in steps if obstacle(step) is None])


def sweep(step: Step) -> Measured:
    """Both transforms of one step but their times; an obstacle or failure becomes a record."""
    if reason := obstacle(step):
        skipped = {"status": "skipped", "detail": reason}
        return Measured([step.record(name, "value", None, **skipped) for name in TRANSFORMS])
    try:
        return _measure(step)
    except Exception as error:
        return Measured([step.failure(name, "value", error) for name in TRANSFORMS])


def check_gradient(case: Case) -> Measured:
    """The plateau of the finite differences, and their curve if the loss did not fail."""
    at = Step(case, "cpu", Source.SIMULATED, CHECKED_CELLS)
    figure = ("value_and_grad", "finite_difference_error")
    try:
        curve = gradient_v_curve(case, n_cells=CHECKED_CELLS)
    except Exception as error:
        return Measured([at.failure(*figure, error, dtype="float64")])
    return Measured([at.record(*figure, curve["plateau"], dtype="float64")], v_curves=[curve])


def _measure(step: Step) -> Measured:
    records: list[Record] = []
    results: dict[str, Any] = {}
    for transform, ready in prepared(step).items():
        records += _compilation(step, transform, ready.phases)
        warm_seconds = compile_warm(ready.program)
        records.append(step.record(transform, "warm_compile_seconds", warm_seconds))
        results[transform] = ready.call()
        records += _bits(step, transform, results[transform])
        if step.n_cells == CELL_COUNTS[0]:
            records.append(step.record(transform, "retraces", count_retraces(ready.program)))
            records += repeatability(step, transform, results[transform])
    if step.n_cells <= REFERENCE_CELLS:
        records += _accuracy(step, results)
    return Measured(records, digests=_digest(step))


def _compilation(step: Step, transform: str, phases: CompilePhases) -> list[Record]:
    """Seconds of the phases, and the counters of what came out."""
    seconds = phases._asdict()
    found = {**counters(seconds.pop("compiled")), **seconds}
    return [step.record(transform, metric, _finite(value)) for metric, value in found.items()]


def _accuracy(step: Step, results: dict[str, Any]) -> list[Record]:
    record = partial(step.record, "value_and_grad")
    value, gradients = results["value_and_grad"]
    ready = prepared(step)["value_and_grad"].program
    arrays = jax.device_get(ready.arrays)
    records, found = [], None
    if step.case.n_neighbors is not None:
        searched = step.case.differentiable[0]
        points = ready.differentiated[searched]
        found = np.asarray(nearest_neighbors(points, step.case.n_neighbors).indices)
        records.append(record("neighbor_error", neighbor_error(arrays[searched], found)))
    expected = reference_results(step.case, arrays, found)
    errors = reference_errors(expected, value, gradients)
    records += [record(metric, error) for metric, error in errors.items()]
    alone = relative_error(results["value"], expected[0])
    return [*records, step.record("value", "value_error", alone)]


def _bits(step: Step, transform: str, results: Any) -> list[Record]:
    """What a run elsewhere should find again: the value, and a hash of every bit."""
    value = results[0] if transform == "value_and_grad" else results
    return [
        step.record(transform, "value", _finite(float(value))),
        step.record(transform, "result_digest", digest(results)),
    ]


def _finite(value: Any) -> Any:
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _digest(step: Step) -> dict[str, str]:
    """Name and digest of the cells of a step, which are still cached."""
    if step.source == Source.REAL:
        return {"real 700": real_cells().digest}
    simulation = step.case.simulation
    cells = simulated_cells(simulation, step.n_cells, 0)
    return {f"{simulation} {step.n_cells}": cells.digest}
