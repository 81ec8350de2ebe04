"""Searches of neighbours: how many of the exact ones they find, in how many seconds."""

import functools
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.measure.environment import environment
from benchmarks.measure.long.phases import Phase, run_phases, simulate
from benchmarks.schema.files import write_json
from benchmarks.schema.suite import MIXING_NEIGHBORS

__all__ = ["recall", "run_recall"]

_SAMPLE = 1000
# Beyond this the exact search takes tens of minutes on a few cores.
_MOST_EXACT_CELLS = 262_144
# Numbers of probes that are tried, as multiples of the default.
_PROBES = (0.25, 0.5, 1)
_WARM_UP_CELLS = 4096


def run_recall(n_cells: int, path: Path | None) -> list[dict[str, Any]]:
    """Run every search; return one row for each, and write the rows if there is a path."""
    searches = _searches(n_cells)
    rows = run_phases({"simulate": simulate, **searches}, n_cells)
    found = [{"search": row.pop("phase"), **row} for row in rows if row["phase"] in searches]
    if path:
        write_json(path, {"environment": environment(), "searches": found})
    return found


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
    from diffbio.neighbors._ivf import default_lists, default_probes

    n_lists = default_lists(n_cells)
    default = default_probes(n_cells, n_lists)
    searches: dict[str, Phase] = {}
    if n_cells <= _MOST_EXACT_CELLS:
        searches["exact"] = _exact
    for n_probes in sorted({max(1, round(share * default)) for share in _PROBES}):
        name = f"ivf, {n_probes} of {n_lists} lists"
        searches[name] = functools.partial(_approximate, method="ivf", n_probes=n_probes)
    searches["pynndescent"] = functools.partial(_approximate, method="pynndescent")
    return searches


def _exact(folder: Path, n_cells: int) -> dict[str, float]:
    from diffbio.neighbors import nearest_neighbors

    return _timed(folder, nearest_neighbors)


def _approximate(folder: Path, n_cells: int, **options: Any) -> dict[str, float]:
    from diffbio.neighbors import approximate_neighbors

    return _timed(folder, functools.partial(approximate_neighbors, **options))


def _timed(folder: Path, search: Callable[..., Any]) -> dict[str, float]:
    """The seconds of a search, after one of few cells that imports and compiles what it can.

    What JAX compiles for the number of cells is counted.
    """
    x = np.load(folder / "embeddings.npy")
    search(x[:_WARM_UP_CELLS], MIXING_NEIGHBORS)
    start = time.perf_counter()
    found = np.asarray(search(x, MIXING_NEIGHBORS).indices)
    seconds = time.perf_counter() - start
    return {"seconds": seconds, "recall": recall(x, found)}
