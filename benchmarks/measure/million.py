"""Batch mixing with its gradient on a million cells: exact, and over approximate neighbours.

Each phase runs in a process of its own, so that its peak resident memory is its own.
"""

import multiprocessing
import resource
import threading
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import click
import numpy as np
import psutil

from benchmarks.measure.processes import end_with_parent
from benchmarks.schema.files import write_json
from benchmarks.schema.suite import MIXING_NEIGHBORS

__all__ = ["PHASES", "run_million"]

_SAMPLE = 1000
_REFRESH_SECONDS = 1.0


def run_million(n_cells: int, path: Path | None) -> list[dict[str, Any]]:
    """Run every phase; return one row per phase, and write the rows if there is a path."""
    rows = []
    with TemporaryDirectory() as folder, _fresh_processes() as processes:
        for name in PHASES:
            try:
                row = processes.submit(_measured, name, Path(folder), n_cells).result()
            except BrokenProcessPool:
                raise click.ClickException(f"{name} did not finish") from None
            rows.append({"phase": name, "n_cells": n_cells, **row})
            figures = ", ".join(f"{key} {value:.6g}" for key, value in row.items())
            click.echo(f"{name}: {figures}")
    if path:
        write_json(path, rows)
    return rows


def _fresh_processes() -> ProcessPoolExecutor:
    """A process of its own for every phase, so that none sees the memory of another."""
    context = multiprocessing.get_context("spawn")
    return ProcessPoolExecutor(
        1, mp_context=context, initializer=end_with_parent, max_tasks_per_child=1
    )


def _simulate(folder: Path, n_cells: int) -> dict[str, float]:
    from diffbio.datasets import simulate_clusters

    cells = simulate_clusters(n_cells, n_genes=100)
    for name, array in cells.arrays().items():
        np.save(folder / f"{name}.npy", array)
    return {}


def _exact(folder: Path, n_cells: int) -> dict[str, float]:
    """Search and gradient in one program, as ``jax.value_and_grad`` gives it."""
    return _value_and_grad(folder, None)


def _index(folder: Path, n_cells: int) -> dict[str, float]:
    """Build the approximate graph, and count how much of the exact one it holds."""
    from diffbio.neighbors import approximate_neighbors

    x = np.load(folder / "embeddings.npy")
    start = time.perf_counter()
    found = np.asarray(approximate_neighbors(x, MIXING_NEIGHBORS, seed=0).indices)
    seconds = time.perf_counter() - start
    np.save(folder / "neighbors.npy", found)
    return {"index_seconds": seconds, "recall": _recall(x, found)}


def _recall(x: np.ndarray, found: np.ndarray) -> float:
    """Share of the exact neighbours, in float64, that were found for a sample of cells."""
    sample = np.random.default_rng(0).choice(len(x), min(_SAMPLE, len(x)), replace=False)
    z = x - x.mean(axis=0)
    squares = (z * z).sum(axis=1)
    shares = []
    for cell in sample:
        near = np.argpartition(squares - 2 * (z @ z[cell]), 3 * MIXING_NEIGHBORS)[
            : 3 * MIXING_NEIGHBORS
        ]
        near = near[near != cell]
        exact = ((x[near].astype(np.float64) - x[cell]) ** 2).sum(axis=1)
        nearest = near[np.argsort(exact)[:MIXING_NEIGHBORS]]
        shares.append(np.isin(nearest, found[cell]).mean())
    return float(np.mean(shares))


def _precomputed(folder: Path, n_cells: int) -> dict[str, float]:
    """The loss and its gradient over the approximate graph."""
    return _value_and_grad(folder, np.load(folder / "neighbors.npy"))


def _value_and_grad(folder: Path, neighbors: np.ndarray | None) -> dict[str, float]:
    import jax
    import jax.numpy as jnp

    from diffbio.functional import batch_mixing_loss

    x = jnp.asarray(np.load(folder / "embeddings.npy"))
    labels = jnp.asarray(np.load(folder / "batch_labels.npy"))
    indices = None if neighbors is None else jnp.asarray(neighbors)
    program = jax.jit(jax.value_and_grad(batch_mixing_loss))
    start = time.perf_counter()
    compiled = program.lower(x, labels, neighbor_indices=indices).compile()
    compiled_at = time.perf_counter()
    value, gradient = jax.block_until_ready(compiled(x, labels, neighbor_indices=indices))
    end = time.perf_counter()
    return {
        "compile_seconds": compiled_at - start,
        "seconds": end - compiled_at,
        "loss": float(value),
        "gradient_norm": float(jnp.linalg.norm(gradient)),
    }


Phase = Callable[[Path, int], dict[str, float]]
PHASES: dict[str, Phase] = {
    "simulate": _simulate,
    "exact": _exact,
    "approximate index": _index,
    "precomputed": _precomputed,
}


def _measured(name: str, folder: Path, n_cells: int) -> dict[str, float]:
    """What a phase found, and the peak memory of the process that ran this phase alone."""
    done = threading.Event()
    progress = threading.Thread(target=_show_progress, args=(name, done))
    progress.start()
    try:
        row = PHASES[name](folder, n_cells)
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
