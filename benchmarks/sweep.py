"""Everything measured once, in one process: the records that asv and the report read."""

import math
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import jax
import numpy as np
from tqdm import tqdm

from benchmarks.accuracy import (
    gradient_v_curve,
    reference_errors,
    reference_results,
    relative_error,
)
from benchmarks.catalog import CATALOG, Arrays, Case, real_cells, simulated_cells
from benchmarks.environment import environment
from benchmarks.measure import compile_cold, count_retraces, counters, program, sample_calls
from benchmarks.names import CELL_COUNTS, DEVICES, REAL, SIMULATED, TRANSFORMS
from benchmarks.records import Record, write_sweep

__all__ = ["run_sweep", "sweep"]


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
            dtype="float32",
            device=self.device,
            metric=metric,
            value=value,
            **more,
        )


def run_sweep(path: Path, cell_counts: Sequence[int] = CELL_COUNTS) -> None:
    """Measure the whole catalog and write the records, their environment and V-curves."""
    steps = list(_steps(cell_counts))
    records: list[Record] = []
    v_curves: list[dict[str, Any]] = []
    digests: dict[str, str] = {}
    with tqdm(total=len(steps) + len(CATALOG), unit="step", dynamic_ncols=True) as progress:
        for step in steps:
            progress.set_description(f"{step.case.name} {step.cells} {step.n_cells} {step.device}")
            records += sweep(step)
            if step.device == "cpu":
                digests.update([_digest(step)])
            progress.update()
        for case in CATALOG:
            progress.set_description(f"{case.name} gradient check")
            curve = gradient_v_curve(case)
            v_curves.append(curve)
            at = Step(case, "cpu", SIMULATED, curve["n_cells"])
            record = at.record("value_and_grad", "finite_difference_error", curve["plateau"])
            records.append(record._replace(dtype="float64"))
            progress.update()
    write_sweep(path, environment(), digests, records, v_curves)


def _steps(cell_counts: Sequence[int]) -> Iterator[Step]:
    """Device by device and size by size, so that cells are simulated once per size."""
    for device in DEVICES:
        for n_cells in cell_counts:
            for case in sorted(CATALOG, key=lambda case: case.simulation):
                yield Step(case, device, SIMULATED, n_cells)
        for case in CATALOG:
            yield Step(case, device, REAL, 700)


def sweep(step: Step) -> list[Record]:
    """Both transforms of one step; an absent device or a failure becomes a record."""
    try:
        device = jax.devices(step.device)[0]
    except RuntimeError:
        absent = {"status": "skipped", "detail": f"no {step.device} on this machine"}
        return [step.record(t, "call_seconds", None, **absent) for t in TRANSFORMS]
    try:
        return _measure(step, device)
    except Exception as error:  # a failing loss must show in the report, not end the sweep
        failure = {"status": "failed", "detail": f"{type(error).__name__}: {error}"}
        return [step.record(t, "call_seconds", None, **failure) for t in TRANSFORMS]


def _measure(step: Step, device: jax.Device) -> list[Record]:
    case = step.case
    arrays = case.real_inputs() if step.cells == REAL else case.make_inputs(step.n_cells)
    n_cells = len(next(iter(arrays.values())))
    step = step._replace(n_cells=n_cells)
    records: list[Record] = []
    results: dict[str, Any] = {}
    for transform in TRANSFORMS:
        prepared = program(case, transform, arrays, device)
        phases = compile_cold(prepared)
        for phase in ("trace_seconds", "lower_seconds", "compile_seconds"):
            records.append(step.record(transform, phase, getattr(phases, phase)))
        for metric, value in counters(phases.compiled).items():
            records.append(step.record(transform, metric, _finite(value)))
        samples = sample_calls(phases.compiled, prepared)
        records += _throughput(step, transform, samples)
        results[transform] = phases.compiled(prepared.differentiated, prepared.constant)
        if n_cells == min(CELL_COUNTS):
            records.append(step.record(transform, "retraces", count_retraces(prepared)))
    return records + _accuracy(step, arrays, results)


def _throughput(step: Step, transform: str, samples: list[float]) -> list[Record]:
    median = float(np.median(samples))
    per_cell = [1e9 * s / step.n_cells for s in samples]
    return [
        step.record(transform, "call_seconds", median, samples=samples),
        step.record(transform, "ns_per_cell", 1e9 * median / step.n_cells, samples=per_cell),
        step.record(transform, "cells_per_second", step.n_cells / median),
    ]


def _accuracy(step: Step, arrays: Arrays, results: dict[str, Any]) -> list[Record]:
    value, gradients = results["value_and_grad"]
    expected = reference_results(step.case, arrays)
    errors = reference_errors(expected, value, gradients)
    records = [step.record("value_and_grad", metric, error) for metric, error in errors.items()]
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
