"""The sweep: everything is measured once, in one process, for asv and the reports."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path

from tqdm import tqdm

from benchmarks.catalog.cases import Case, case
from benchmarks.catalog.real import TIMED_REAL_CELLS
from benchmarks.measure.checkpoint import Checkpoint, Measured, interruptible
from benchmarks.measure.environment import environment
from benchmarks.measure.sweep.determinism import compare_processes
from benchmarks.measure.sweep.measurement import Wanted, check_gradient, measure_step
from benchmarks.measure.sweep.scaling import measure_scaling
from benchmarks.measure.sweep.steps import Step, steps_on
from benchmarks.measure.sweep.timing import measure_times
from benchmarks.measure.sweep.workbench import Workbench
from benchmarks.schema.files import reserved
from benchmarks.schema.records import Source
from benchmarks.schema.suite import DEVICES, LOSSES, REFERENCE_CELLS, TIER

__all__ = ["run_counters", "run_sweep"]

Task = Callable[[], Measured]


def run_sweep(
    path: Path,
    cell_counts: Sequence[int],
    losses: Sequence[str] = LOSSES,
    *,
    real: bool = True,
    times: bool = True,
    scaling: Sequence[tuple[int, str]] = (),
) -> None:
    """Measure losses of the catalog into a file, which is written after every step.

    Where the file holds the beginning of the same sweep, only what is missing is measured.

    Args:
        path: the JSON file.
        cell_counts: sizes of the simulated data sets.
        losses: names of the catalog.
        real: whether the real cells are measured too.
        times: whether compilation and calls are timed, too.
        scaling: numbers of cells, and the devices that each is split over.

    Raises:
        UnwritableError: another run is writing the file, or it cannot be written.
        KeyboardInterrupt: interrupted; the message says whether the file holds some steps.
    """
    cases = [case(name) for name in losses]
    tasks = _tasks(cell_counts, cases, real=real, times=times)
    if scaling:
        tasks["scaling"] = partial(measure_scaling, scaling, cases)
    _run(path, tasks, losses, cell_counts)


def run_counters(path: Path, n_cells: int, losses: Sequence[str] = LOSSES) -> None:
    """Compile the losses at one size into a file: counters, results and errors, and no times.

    Two commits are compared by these. ``run_sweep`` also compares a commit with itself, in other
    blocks and in a second process.

    Args:
        path: the JSON file.
        n_cells: number of simulated cells.
        losses: names of the catalog.

    Raises:
        UnwritableError, KeyboardInterrupt: as in ``run_sweep``.
    """
    bench, cases = Workbench(), [case(name) for name in losses]
    steps = [step for device in DEVICES for step in steps_on(device, [n_cells], cases, real=False)]
    wanted = Wanted(times=False, other_blocks=False)
    tasks = {step.name: partial(measure_step, bench, step, wanted) for step in steps}
    _run(path, tasks, losses, [n_cells])


def _run(
    path: Path, tasks: Mapping[str, Task], losses: Sequence[str], cell_counts: Sequence[int]
) -> None:
    scope = {"tier": TIER, "losses": sorted(losses), "n_cells": sorted(cell_counts)}
    with reserved(path):
        checkpoint = Checkpoint(path, {**environment(), **scope}, list(tasks))
        left, n_finished = checkpoint.unfinished, checkpoint.n_finished
        progress = tqdm(left, total=len(tasks), initial=n_finished, dynamic_ncols=True)
        with interruptible(path, checkpoint):
            for name in progress:
                progress.set_description(name)
                checkpoint.add(name, tasks[name]())


def _tasks(
    cell_counts: Sequence[int], cases: Sequence[Case], *, real: bool, times: bool
) -> dict[str, Task]:
    """What a sweep does, by name and in order; all steps of a device are timed together."""
    smallest = min(cell_counts)
    largest_checked = max((n for n in cell_counts if n <= REFERENCE_CELLS), default=smallest)
    tasks: dict[str, Task] = {}
    for device in DEVICES:
        bench = Workbench()
        steps = steps_on(device, cell_counts, cases, real=real)
        timed = [step for step in steps if _timed(step)]
        few_cells = _simulated(steps, smallest)
        in_blocks = _simulated(steps, smallest, largest_checked)
        for step in steps:
            wanted = Wanted(
                compilation=step in timed,
                times=times,
                retraces=step in few_cells,
                other_blocks=step in in_blocks,
            )
            tasks[step.name] = partial(measure_step, bench, step, wanted)
        tasks[f"second process {device}"] = partial(_compare_processes, bench, few_cells)
        if times:
            tasks[f"times {device}"] = partial(_measure_times, bench, timed)
    tasks |= {f"{each.name} gradient check": partial(check_gradient, each) for each in cases}
    return tasks


def _simulated(steps: Sequence[Step], *sizes: int) -> list[Step]:
    return [step for step in steps if step.source == Source.SIMULATED and step.n_cells in sizes]


def _timed(step: Step) -> bool:
    """Whether a step is timed: of the real cells, those that scanpy brings alone are timed."""
    return step.source == Source.SIMULATED or step.n_cells == TIMED_REAL_CELLS


def _compare_processes(bench: Workbench, steps: Sequence[Step]) -> Measured:
    return compare_processes(bench, bench.possible(steps))


def _measure_times(bench: Workbench, steps: Sequence[Step]) -> Measured:
    """Time the steps, then drop the programs, which nothing else needs."""
    measured = measure_times(bench, bench.possible(steps))
    bench.clear()
    return measured
