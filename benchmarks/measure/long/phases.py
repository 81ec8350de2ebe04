"""Long phases of work on simulated cells.

Each runs in a process of its own, so that its peak resident memory is its own.
"""

import multiprocessing
import resource
import threading
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import click
import numpy as np
import psutil

from benchmarks.measure.processes import end_with_parent

__all__ = ["Phase", "run_phases", "simulate"]

# Maps the folder that the phases share and the number of cells to what was measured. Another
# process calls it, so it is a function of a module, or a partial of one.
Phase = Callable[[Path, int], dict[str, float]]

_REFRESH_SECONDS = 1.0


def run_phases(phases: Mapping[str, Phase], n_cells: int) -> list[dict[str, Any]]:
    """Run and print every phase; return one row per phase."""
    rows = []
    with TemporaryDirectory() as folder, _fresh_processes() as processes:
        for name, phase in phases.items():
            try:
                row = processes.submit(_measured, name, phase, Path(folder), n_cells).result()
            except BrokenProcessPool:
                raise click.ClickException(f"{name} did not finish") from None
            rows.append({"phase": name, "n_cells": n_cells, **row})
            measured = ", ".join(f"{key} {value:.6g}" for key, value in row.items())
            click.echo(f"{name}: {measured}")
    return rows


def simulate(folder: Path, n_cells: int) -> dict[str, float]:
    """Write simulated clusters into the folder, one file per array."""
    from diffbio.datasets import simulate_clusters

    cells = simulate_clusters(n_cells, n_genes=100)
    for name, array in cells.arrays().items():
        np.save(folder / f"{name}.npy", array)
    return {}


def _fresh_processes() -> ProcessPoolExecutor:
    """A process of its own for every phase, so that none sees the memory of another."""
    context = multiprocessing.get_context("spawn")
    return ProcessPoolExecutor(
        1, mp_context=context, initializer=end_with_parent, max_tasks_per_child=1
    )


def _measured(name: str, phase: Phase, folder: Path, n_cells: int) -> dict[str, float]:
    """What a phase measured, and the peak memory of the process that ran this phase alone."""
    done = threading.Event()
    progress = threading.Thread(target=_show_progress, args=(name, done))
    progress.start()
    try:
        row = phase(folder, n_cells)
    finally:
        done.set()
        progress.join()
    peak_bytes = 1024 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return {**row, "peak_resident_gb": peak_bytes / 1e9}


def _show_progress(name: str, done: threading.Event) -> None:
    """Rewrite one line with elapsed time and resident memory until the phase is done."""
    start, process = time.perf_counter(), psutil.Process()
    while not done.wait(_REFRESH_SECONDS):
        gigabytes = process.memory_info().rss / 1e9
        elapsed = time.perf_counter() - start
        click.echo(f"\r{name}: {elapsed:6.0f} s, {gigabytes:.2f} GB resident ", nl=False, err=True)
    click.echo(err=True)
