"""A loss, its lower bound and its peers, called in turn in one process and compared as ratios."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import click
import jax
import numpy as np
import pandas as pd
from tqdm import tqdm

from benchmarks.catalog.cases import Arrays, Case, case
from benchmarks.measure.environment import environment
from benchmarks.measure.programs import call_in_turn, program, warm_up
from benchmarks.measure.ratio import calls_to_compare, ratios_of
from benchmarks.peers.registry import PEERS
from benchmarks.schema.files import write_json
from benchmarks.schema.records import Ratio
from benchmarks.schema.suite import LOSSES, TRANSFORMS

__all__ = ["compare", "run_ratios"]

# Small batches and the sizes that the performance targets are stated for.
DEFAULT_CELLS = (256, 1024, 4096, 16384)
TARGET_CELLS = {
    "batch_mixing_recommended": (256, 1024, 4096, 16384),
    "batch_mixing": (256, 1024, 4096, 16384, 65536),
    "compactness": (256, 4096, 65536),
    "velocity": (256, 1024, 8192),
    "velocity_transition": (256, 1024, 8192),
    "shannon": (256, 4096, 262144),
    "simpson": (256, 4096, 262144),
}

# The transitions' target is stated for as many genes as the velocity's.
_SIMULATIONS = {"velocity_transition": "kinetics"}


def run_ratios(
    losses: Sequence[str], n_cells: Sequence[int], path: Path | None, *, peers: bool
) -> None:
    """Measure and print the ratios, and write them if there is a path."""
    for peer in PEERS:
        if peers and not peer.installed:
            click.echo(f"not installed, not measured: {peer.name} ({peer.requires})", err=True)
    found = compare_all(losses, n_cells, peers=peers)
    click.echo(_table(found))
    if path:
        rows = [ratio.row() for ratio in found]
        write_json(path, {"environment": environment(), "ratios": rows})


def compare(
    case: Case, transform: str, arrays: Arrays, *, peers: bool, seconds: float = 6.0
) -> list[Ratio]:
    """Ratios of the loss to its lower bound and, if asked for, to every peer that is installed."""
    ready = program(case, transform, arrays, jax.devices()[0])
    compiled = jax.jit(ready.function).lower(*ready.arguments).compile()
    calls = calls_to_compare(case, transform, ready, compiled)
    if peers:
        calls |= _peer_calls(case, transform, arrays)
    warm_up(calls)
    samples = call_in_turn(calls, np.random.default_rng(0), seconds=seconds, most=200)
    return ratios_of(case, transform, ready, compiled, samples)


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


_HEADINGS = {
    "n_cells": "cells",
    "ours_seconds": "ours ms",
    "other_seconds": "other ms",
    "ratio_low": "first quartile",
    "ratio_high": "third quartile",
    "temp_bytes": "temp MB",
    "input_bytes": "inputs MB",
    "n_rounds": "rounds",
}


def _table(ratios: Sequence[Ratio]) -> str:
    """The ratios as aligned text, times in milliseconds and sizes in megabytes."""
    frame = pd.DataFrame(ratios, columns=Ratio.names())
    frame["note"] = [ratio.note for ratio in ratios]
    scaled = {"ours_seconds": 1e3, "other_seconds": 1e3, "temp_bytes": 1e-6, "input_bytes": 1e-6}
    frame = frame.assign(**{name: scale * frame[name] for name, scale in scaled.items()})
    return frame.rename(columns=_HEADINGS).to_string(index=False, float_format="{:.3f}".format)
