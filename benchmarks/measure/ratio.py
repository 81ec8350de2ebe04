"""A loss, its lower bound and its peers, called in turn in one process and compared as ratios."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import jax
import numpy as np
from tqdm import tqdm

from benchmarks.catalog.cases import Arrays, Case, case
from benchmarks.catalog.lower_bounds import LOWER_BOUNDS
from benchmarks.measure.programs import Program, call_in_turn, program, warm_up
from benchmarks.peers.registry import PEERS, Peer
from benchmarks.schema.files import write_json
from benchmarks.schema.records import Ratio
from benchmarks.schema.suite import LOSSES, TRANSFORMS

__all__ = [
    "compare",
    "compare_all",
    "contest",
    "missing_peers",
    "ratios_of",
    "table",
    "write_ratios",
]

# Small batches and the sizes that the performance targets are stated for.
DEFAULT_CELLS = (256, 1024, 4096, 16384)
TARGET_CELLS = {
    "batch_mixing": (256, 1024, 4096, 16384, 65536),
    "compactness": (256, 4096, 65536),
    "velocity": (256, 1024, 8192),
    "velocity_transition": (256, 1024, 8192),
    "shannon": (256, 4096, 262144),
    "simpson": (256, 4096, 262144),
}

# The transitions' target is stated for as many genes as the velocity's.
_SIMULATIONS = {"velocity_transition": "kinetics"}


def compare(
    case: Case, transform: str, arrays: Arrays, *, peers: bool, seconds: float = 6.0
) -> list[Ratio]:
    """Ratios of the loss to its lower bound and, if asked for, to every peer that is installed."""
    ready = program(case, transform, arrays, jax.devices()[0])
    compiled = jax.jit(ready.function).lower(*ready.arguments).compile()
    contestants = contest(case, transform, ready, compiled)
    if peers:
        contestants |= _peer_calls(case, transform, arrays)
    warm_up(contestants)
    samples = call_in_turn(contestants, seconds=seconds, most=200)
    return ratios_of(case, transform, ready, compiled, samples)


def contest(
    case: Case, transform: str, ready: Program, compiled: Any
) -> dict[str, Callable[[], Any]]:
    """Calls of the program and of the case's lower bound, on the arrays where they lie."""
    bound = jax.jit(LOWER_BOUNDS[case.lower_bound][transform]).lower(ready.arrays).compile()
    return {
        "ours": partial(compiled, *ready.arguments),
        f"lower bound: {case.lower_bound}": partial(bound, ready.arrays),
    }


def ratios_of(
    case: Case,
    transform: str,
    ready: Program,
    compiled: Any,
    samples: Mapping[str, Sequence[float]],
) -> list[Ratio]:
    """One ratio per contestant that was called in turn with "ours"."""
    arrays = ready.arrays.values()
    temp_bytes = compiled.memory_analysis().temp_size_in_bytes
    ours = np.array(samples["ours"])
    return [
        Ratio(
            loss=case.name,
            transform=transform,
            n_cells=len(next(iter(arrays))),
            other=name,
            **_summary(ours, np.array(other)),
            temp_bytes=temp_bytes,
            input_bytes=sum(array.nbytes for array in arrays),
            n_rounds=len(ours),
        )
        for name, other in samples.items()
        if name != "ours"
    ]


def compare_all(losses: Sequence[str], n_cells: Sequence[int], *, peers: bool) -> list[Ratio]:
    """Both transforms of the named losses (default: all) at the sizes (default: the targets')."""
    steps = [
        (replace(case(loss), simulation=_SIMULATIONS.get(loss, case(loss).simulation)), n)
        for loss in (losses or LOSSES)
        for n in (n_cells or TARGET_CELLS.get(loss, DEFAULT_CELLS))
    ]
    found: list[Ratio] = []
    for each, n in tqdm(steps, unit="size", dynamic_ncols=True):
        arrays = each.make_inputs(n)
        for transform in TRANSFORMS:
            found += compare(each, transform, arrays, peers=peers)
    return found


def _peer_calls(case: Case, transform: str, arrays: Arrays) -> dict[str, Callable[[], Any]]:
    n_cells = len(next(iter(arrays.values())))
    return {
        peer.name: peer.prepare(case.name, transform, arrays)
        for peer in PEERS
        if peer.installed and case.name in peer.losses and n_cells <= peer.most_cells
    }


def missing_peers() -> list[Peer]:
    """The peers that are not installed, to be named and not passed over."""
    return [peer for peer in PEERS if not peer.installed]


def _summary(ours: np.ndarray, other: np.ndarray) -> dict[str, Any]:
    """Medians, their ratio, and the interquartile range of the rounds' own ratios."""
    low, high = np.quantile(ours / other, [0.25, 0.75])
    ours_seconds, other_seconds = float(np.median(ours)), float(np.median(other))
    return {
        "ours_seconds": ours_seconds,
        "other_seconds": other_seconds,
        "ratio": ours_seconds / other_seconds,
        "ratio_low": float(low),
        "ratio_high": float(high),
    }


def table(ratios: Sequence[Ratio]) -> str:
    """The ratios as aligned text."""
    head = ("loss", "transform", "cells", "other", "ours ms", "other ms", "ratio", "IQR", "temp MB")
    rows = [
        (
            r.loss,
            r.transform,
            f"{r.n_cells}",
            r.other,
            f"{1e3 * r.ours_seconds:.3f}",
            f"{1e3 * r.other_seconds:.3f}",
            f"{r.ratio:.2f}",
            f"{r.ratio_low:.2f}-{r.ratio_high:.2f}",
            f"{r.temp_bytes / 1e6:.1f} (inputs {r.input_bytes / 1e6:.1f})",
        )
        for r in ratios
    ]
    widths = [max(len(row[at]) for row in [head, *rows]) for at in range(len(head))]
    lines = [
        "  ".join(c.ljust(w) for c, w in zip(row, widths, strict=True)) for row in [head, *rows]
    ]
    return "\n".join(lines)


def write_ratios(path: Path, environment: dict[str, Any], ratios: Sequence[Ratio]) -> None:
    """Write the ratios as JSON, completely or not at all."""
    content = {"environment": environment, "ratios": [ratio._asdict() for ratio in ratios]}
    write_json(path, content)
