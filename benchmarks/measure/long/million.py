"""Batch mixing with its gradient on a million cells: exact, and over approximate neighbours."""

import time
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.measure.long.phases import Phase, run_phases, simulate
from benchmarks.measure.long.recall import recall
from benchmarks.schema.files import write_json
from benchmarks.schema.suite import MIXING_NEIGHBORS

__all__ = ["PHASES", "run_million"]


def run_million(n_cells: int, path: Path | None) -> list[dict[str, Any]]:
    """Run every phase; return one row per phase, and write the rows if there is a path."""
    rows = run_phases(PHASES, n_cells)
    if path:
        write_json(path, rows)
    return rows


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
    return {"index_seconds": seconds, "recall": recall(x, found)}


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


PHASES: dict[str, Phase] = {
    "simulate": simulate,
    "exact": _exact,
    "approximate index": _index,
    "precomputed": _precomputed,
}
