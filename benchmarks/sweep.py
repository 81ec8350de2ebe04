"""Everything measured once, in one process: the records that asv and the report read."""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import jax
import numpy as np
from tqdm import tqdm

from benchmarks.accuracy import (
    differing_arrays,
    digest,
    gradient_v_curve,
    neighbor_error,
    reference_errors,
    reference_results,
    relative_error,
)
from benchmarks.catalog import CATALOG, Arrays, Case, real_cells, simulated_cells
from benchmarks.claims import CLAIMS, examine
from benchmarks.environment import environment
from benchmarks.measure import (
    CompilePhases,
    Program,
    call_in_turn,
    compile_cold,
    compile_warm,
    count_retraces,
    counters,
    lacking_memory,
    program,
)
from benchmarks.names import (
    CELL_COUNTS,
    CHECKED_CELLS,
    DEVICES,
    REAL,
    REFERENCE_CELLS,
    SIMULATED,
    TRANSFORMS,
)
from benchmarks.ratios import limit_call, ratios_of
from benchmarks.records import Ratio, Record
from benchmarks.sheet import Measured, Sheet
from diffbio.neighbors import nearest_neighbors

__all__ = ["check_gradient", "run_sweep", "sweep"]


# No divisor of the cell counts, and not what is chosen by itself.
_OTHER_BLOCK = 100


class Step(NamedTuple):
    """One loss on one set of cells on one device."""

    case: Case
    device: str
    cells: str
    n_cells: int

    def record(self, transform: str, metric: str, value: Any, **more: Any) -> Record:
        return Record(
            benchmark=f"{self.case.name}:{transform}",
            loss=self.case.name,
            transform=transform,
            cells=self.cells,
            n_cells=self.n_cells,
            device=self.device,
            metric=metric,
            value=value,
            **{"dtype": "float32", **more},
        )


def run_sweep(path: Path, cell_counts: Sequence[int], *, whole: bool = True) -> None:
    """Measure the whole catalog into a file, which is written after every step.

    Where the file holds the beginning of the same sweep, only what is missing is measured.
    A sweep that is not whole leaves out the real cells and the document's claims.
    """
    tasks: dict[str, Callable[[], Measured]] = {
        f"{step.case.name} {step.cells} {step.n_cells} {step.device}": partial(sweep, step)
        for step in _steps(cell_counts, real=whole)
    }
    tasks |= {f"{case.name} gradient check": partial(check_gradient, case) for case in CATALOG}
    if whole:
        tasks["claims"] = lambda: Measured([], claims=[examine(claim) for claim in CLAIMS])
    sheet = Sheet(path, environment(), list(tasks))
    left = sheet.unfinished
    n_done = len(tasks) - len(left)
    with tqdm(total=len(tasks), initial=n_done, unit="step", dynamic_ncols=True) as progress:
        for name in left:
            progress.set_description(name)
            sheet.add(name, tasks[name]())
            progress.update()


def _steps(cell_counts: Sequence[int], *, real: bool) -> Iterator[Step]:
    """Device by device and size by size, so that cells are simulated once per size."""
    for device in DEVICES:
        for n_cells in cell_counts:
            for case in sorted(CATALOG, key=lambda case: case.simulation):
                yield Step(case, device, SIMULATED, n_cells)
        for case in CATALOG if real else ():
            yield Step(case, device, REAL, 700)


def sweep(step: Step) -> Measured:
    """Both transforms of one step; an absent device or a failure becomes a record."""
    try:
        device = jax.devices(step.device)[0]
    except RuntimeError:
        return _unmeasured(step, "skipped", f"no {step.device} on this machine")
    if lacking := lacking_memory(step.case, step.n_cells):
        return _unmeasured(step, "skipped", lacking)
    try:
        return _measure(step, device)
    except Exception as error:  # a failing loss must show in the report, not end the sweep
        return _unmeasured(step, "failed", f"{type(error).__name__}: {error}")


def check_gradient(case: Case) -> Measured:
    """The plateau of the finite differences, and their curve if the loss did not fail."""
    at = Step(case, "cpu", SIMULATED, CHECKED_CELLS)
    record = partial(at.record, "value_and_grad", "finite_difference_error", dtype="float64")
    try:
        curve = gradient_v_curve(case, n_cells=CHECKED_CELLS)
    except Exception as error:  # as in sweep
        failed = record(None, status="failed", detail=f"{type(error).__name__}: {error}")
        return Measured([failed])
    return Measured([record(curve["plateau"])], v_curves=[curve])


def _unmeasured(step: Step, status: str, detail: str) -> Measured:
    return Measured(
        [
            step.record(transform, "call_seconds", None, status=status, detail=detail)
            for transform in TRANSFORMS
        ]
    )


def _measure(step: Step, device: jax.Device) -> Measured:
    case = step.case
    arrays = case.real_inputs() if step.cells == REAL else case.make_inputs(step.n_cells)
    n_cells = len(next(iter(arrays.values())))
    step = step._replace(n_cells=n_cells)
    records: list[Record] = []
    ratios: list[Ratio] = []
    results: dict[str, Any] = {}
    for transform in TRANSFORMS:
        prepared = program(case, transform, arrays, device)
        phases = compile_cold(prepared)
        records += _compilation(step, transform, phases)
        warm_seconds = compile_warm(prepared)
        records.append(step.record(transform, "warm_compile_seconds", warm_seconds))
        samples = call_in_turn(
            {
                "ours": partial(phases.compiled, *prepared.arguments),
                f"limit: {case.limit}": limit_call(case, transform, prepared),
            },
            seconds=0.5,
            most=50,
            least=3,
        )
        (ratio,) = ratios_of(case, transform, prepared, phases.compiled, samples)
        ratios.append(ratio)
        records += _throughput(step, ratio, *samples.values())
        results[transform] = phases.compiled(*prepared.arguments)
        records += _bits(step, transform, results[transform])
        if n_cells == CELL_COUNTS[0]:
            again = phases.compiled(*prepared.arguments)
            differing = differing_arrays(results[transform], again)
            records.append(step.record(transform, "differing_repeats", differing))
            records.append(step.record(transform, "retraces", count_retraces(prepared)))
            records += _other_blocks(step, transform, arrays, device, results[transform])
    if n_cells <= REFERENCE_CELLS:
        records += _accuracy(step, prepared, arrays, results)
    on_page = step.cells == SIMULATED  # the real cells are few, and of one size
    return Measured(records, ratios if on_page else (), digests=_digest(step))


def _compilation(step: Step, transform: str, phases: CompilePhases) -> list[Record]:
    """Seconds of the phases, and the counters of what came out."""
    seconds = phases._asdict()
    found = {**counters(seconds.pop("compiled")), **seconds}
    return [step.record(transform, metric, _finite(value)) for metric, value in found.items()]


def _throughput(step: Step, ratio: Ratio, ours: list[float], limit: list[float]) -> list[Record]:
    """Times of the calls and of the limit's, the ratio round by round."""
    record = partial(step.record, ratio.transform)
    per_cell = [1e9 * seconds / step.n_cells for seconds in ours]
    rounds = [one / other for one, other in zip(ours, limit, strict=True)]
    return [
        record("call_seconds", ratio.ours_seconds, samples=ours),
        record("ns_per_cell", 1e9 * ratio.ours_seconds / step.n_cells, samples=per_cell),
        record("cells_per_second", step.n_cells / ratio.ours_seconds),
        record("limit_seconds", ratio.other_seconds, samples=limit),
        record("limit_ratio", ratio.ratio, samples=rounds),
    ]


def _accuracy(
    step: Step, prepared: Program, arrays: Arrays, results: dict[str, Any]
) -> list[Record]:
    record = partial(step.record, "value_and_grad")
    value, gradients = results["value_and_grad"]
    records, found = [], None
    if step.case.n_neighbors is not None:
        searched = step.case.differentiable[0]
        points = prepared.differentiated[searched]
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


def _other_blocks(
    step: Step, transform: str, arrays: Arrays, device: jax.Device, results: Any
) -> list[Record]:
    """How far the results are from those of a search in other blocks, where there is one."""
    if step.case.n_neighbors is None or step.case.module is None:
        return []
    blocked = replace(step.case, loss=partial(step.case.loss, block_size=_OTHER_BLOCK))
    other = program(blocked, transform, arrays, device)
    found = jax.jit(other.function)(*other.arguments)
    pairs = zip(jax.tree.leaves(found), jax.tree.leaves(results), strict=True)
    worst = max(relative_error(one, two) for one, two in pairs)
    return [step.record(transform, "block_size_error", worst)]


def _finite(value: Any) -> Any:
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _digest(step: Step) -> dict[str, str]:
    """Name and digest of the cells of a step, which are still cached."""
    if step.cells == REAL:
        return {"real 700": real_cells().digest}
    simulation = step.case.simulation
    cells = simulated_cells(simulation, step.n_cells, 0)
    return {f"{simulation} {step.n_cells}": cells.digest}
