"""Everything measured once, in one process: the records that asv and the report read."""

import math
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import jax
import numpy as np
from tqdm import tqdm

from benchmarks.accuracy import (
    gradient_v_curve,
    neighbor_error,
    reference_errors,
    reference_results,
    relative_error,
)
from benchmarks.catalog import CATALOG, Arrays, Case, real_cells, simulated_cells
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
from benchmarks.records import Ratio, Record, write_sweep
from diffbio.neighbors import nearest_neighbors

__all__ = ["check_gradient", "run_sweep", "sweep"]


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


class Measured(NamedTuple):
    """What a step yields: records, and how it compares with its limit."""

    records: list[Record]
    ratios: list[Ratio]


def run_sweep(path: Path, cell_counts: Sequence[int], *, real: bool = True) -> None:
    """Measure the whole catalog and write the records, their environment and V-curves."""
    steps = list(_steps(cell_counts, real=real))
    records: list[Record] = []
    ratios: list[Ratio] = []
    v_curves: list[dict[str, Any]] = []
    digests: dict[str, str] = {}
    with tqdm(total=len(steps) + len(CATALOG), unit="step", dynamic_ncols=True) as progress:
        for step in steps:
            progress.set_description(f"{step.case.name} {step.cells} {step.n_cells} {step.device}")
            measured = sweep(step)
            records += measured.records
            if step.cells == SIMULATED:  # the real cells are few, and of one size
                ratios += measured.ratios
            if step.device == "cpu":
                digests.update([_digest(step)])
            progress.update()
        for case in CATALOG:
            progress.set_description(f"{case.name} gradient check")
            record, curves = check_gradient(case)
            records.append(record)
            v_curves += curves
            progress.update()
    rows = [ratio._asdict() for ratio in ratios]
    write_sweep(path, environment(), digests, records, v_curves, rows)


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


def check_gradient(case: Case) -> tuple[Record, list[dict[str, Any]]]:
    """The plateau of the finite differences, and their curve if the loss did not fail."""
    at = Step(case, "cpu", SIMULATED, CHECKED_CELLS)
    record = partial(at.record, "value_and_grad", "finite_difference_error", dtype="float64")
    try:
        curve = gradient_v_curve(case, n_cells=CHECKED_CELLS)
    except Exception as error:  # as in sweep
        return record(None, status="failed", detail=f"{type(error).__name__}: {error}"), []
    return record(curve["plateau"]), [curve]


def _unmeasured(step: Step, status: str, detail: str) -> Measured:
    records = [
        step.record(transform, "call_seconds", None, status=status, detail=detail)
        for transform in TRANSFORMS
    ]
    return Measured(records, [])


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
        records += _throughput(step, samples["ours"], ratio)
        results[transform] = phases.compiled(*prepared.arguments)
        if n_cells == CELL_COUNTS[0]:
            records.append(step.record(transform, "retraces", count_retraces(prepared)))
    if n_cells <= REFERENCE_CELLS:
        records += _accuracy(step, prepared, arrays, results)
    return Measured(records, ratios)


def _compilation(step: Step, transform: str, phases: CompilePhases) -> list[Record]:
    """Seconds of the phases, and the counters of what came out."""
    seconds = phases._asdict()
    found = {**counters(seconds.pop("compiled")), **seconds}
    return [step.record(transform, metric, _finite(value)) for metric, value in found.items()]


def _throughput(step: Step, samples: list[float], ratio: Ratio) -> list[Record]:
    per_cell = [1e9 * s / step.n_cells for s in samples]
    record = partial(step.record, ratio.transform)
    return [
        record("call_seconds", ratio.ours_seconds, samples=samples),
        record("ns_per_cell", 1e9 * ratio.ours_seconds / step.n_cells, samples=per_cell),
        record("cells_per_second", step.n_cells / ratio.ours_seconds),
        record("limit_seconds", ratio.other_seconds),
        record("limit_ratio", ratio.ratio),
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


def _finite(value: Any) -> Any:
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _digest(step: Step) -> tuple[str, str]:
    """Name and digest of the cells of a step, which are still cached."""
    if step.cells == REAL:
        return "real 700", real_cells().digest
    simulation = step.case.simulation
    return f"{simulation} {step.n_cells}", simulated_cells(simulation, step.n_cells, 0).digest
