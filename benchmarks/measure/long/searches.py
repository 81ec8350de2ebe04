"""Many cells, searched exactly and approximately: seconds, recall, and batch mixing over both."""

import math
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.measure.environment import environment
from benchmarks.measure.long.phases import Phase, run_phases, simulate
from benchmarks.schema.files import write_json
from benchmarks.schema.suite import MIXING_NEIGHBORS

__all__ = ["recall", "run_million", "run_recall"]

_SAMPLE = 1000
# Beyond this the exact search takes tens of minutes on a few cores.
_MOST_EXACT_CELLS = 262_144
# Numbers of lists that are probed, in roots of the number of lists; the default is also tried.
_PROBES_PER_ROOT = (0.5, 1)
_WARM_UP_CELLS = 4096


def run_million(n_cells: int, path: Path | None) -> None:
    """Batch mixing with its gradient, which searches exactly or takes approximate neighbours."""
    phases: dict[str, Phase] = {
        "simulate": simulate,
        "exact": _value_and_grad,
        "approximate index": partial(_timed, _approximate),
        "precomputed": partial(_value_and_grad, precomputed=True),
    }
    rows = run_phases(phases, n_cells)
    if path:
        write_json(path, rows)


def run_recall(n_cells: int, path: Path | None) -> None:
    """Every search by itself: its seconds and its recall."""
    searches = _searches(n_cells)
    rows = run_phases({"simulate": simulate, **searches}, n_cells)
    found = [{"search": row.pop("phase"), **row} for row in rows if row["phase"] in searches]
    if path:
        write_json(path, {"environment": environment(), "searches": found})


def recall(x: np.ndarray, found: np.ndarray) -> float:
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


def _searches(n_cells: int) -> dict[str, Phase]:
    n_lists = math.isqrt(n_cells)
    searches: dict[str, Phase] = {}
    if n_cells <= _MOST_EXACT_CELLS:
        searches["exact"] = partial(_timed, _exact)
    for factor in _PROBES_PER_ROOT:
        n_probes = math.ceil(factor * math.sqrt(n_lists))
        search = partial(_approximate, n_lists=n_lists, n_probes=n_probes)
        searches[f"ivf, {n_probes} of {n_lists} lists"] = partial(_timed, search)
    searches["ivf, as many lists as by default"] = partial(_timed, _approximate)
    return searches


def _exact(x: np.ndarray) -> np.ndarray:
    from diffbio.neighbors import nearest_neighbors

    return np.asarray(nearest_neighbors(x, MIXING_NEIGHBORS).indices)


def _approximate(x: np.ndarray, **options: Any) -> np.ndarray:
    from diffbio.neighbors import approximate_neighbors

    found = approximate_neighbors(x, MIXING_NEIGHBORS, **options)
    return np.asarray(found.indices)


def _timed(
    search: Callable[[np.ndarray], np.ndarray], folder: Path, n_cells: int
) -> dict[str, float]:
    """The seconds of a search, after one of few cells that imports and compiles what it can.

    What JAX compiles for the number of cells is counted. The neighbours stay in the folder.
    """
    x = np.load(folder / "embeddings.npy")
    search(x[:_WARM_UP_CELLS])
    start = time.perf_counter()
    found = search(x)
    seconds = time.perf_counter() - start
    np.save(folder / "neighbors.npy", found)
    return {"seconds": seconds, "recall": recall(x, found)}


def _value_and_grad(folder: Path, n_cells: int, precomputed: bool = False) -> dict[str, float]:
    """Batch mixing with its gradient in one program, which searches if no neighbours are given."""
    import jax
    import jax.numpy as jnp

    from diffbio.functional import batch_mixing_loss

    x = jnp.asarray(np.load(folder / "embeddings.npy"))
    labels = jnp.asarray(np.load(folder / "batch_labels.npy"))
    indices = jnp.asarray(np.load(folder / "neighbors.npy")) if precomputed else None
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
