"""Times of calls, sampled in visits that go round all programs of a sweep.

Calls in a row agree with each other better than with those of a minute later: threads,
pages and other tenants fall into states that last. A sample is therefore the median of
one visit, and between two visits to a program all the others are called.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

import numpy as np
from tqdm import tqdm

from benchmarks.measure.checkpoint import Measured
from benchmarks.measure.programs import call_in_turn, warm_up
from benchmarks.measure.ratio import contest, ratios_of
from benchmarks.measure.steps import Step, prepared
from benchmarks.schema.records import Ratio, Record, Source
from benchmarks.schema.suite import TRANSFORMS

__all__ = ["measure_times", "visit_in_turn"]

_VISITS, _FEWEST_VISITS = 10, 6
_SECONDS_PER_VISIT, _CALLS_PER_VISIT = 0.05, 50
# After this long a program gets no more than the fewest visits.
_SECONDS = 10.0

Calls = Mapping[str, Callable[[], Any]]
Name = TypeVar("Name")


def measure_times(steps: Sequence[Step]) -> Measured:
    """Both transforms of all steps, each in turn with its lower bound."""
    contests: dict[tuple[Step, str], Calls] = {}
    records: list[Record] = []
    ratios: list[Ratio] = []
    for step in steps:
        for transform in TRANSFORMS:
            try:
                contests[step, transform] = _contest(step, transform)
            except Exception as error:
                records.append(step.failure(transform, "call_seconds", error))
    for (step, transform), samples in visit_in_turn(contests).items():
        program, phases = prepared(step)[transform]
        (ratio,) = ratios_of(step.case, transform, program, phases.compiled, samples)
        records += _throughput(step, ratio, *samples.values())
        if step.source == Source.SIMULATED:  # the real cells are few, and of one size
            ratios.append(ratio)
    prepared.cache_clear()
    return Measured(records, ratios)


def _contest(step: Step, transform: str) -> Calls:
    """The loss and its lower bound, called once."""
    program, phases = prepared(step)[transform]
    calls = contest(step.case, transform, program, phases.compiled)
    warm_up(calls)
    return calls


def visit_in_turn(contests: Mapping[Name, Calls]) -> dict[Name, dict[str, list[float]]]:
    """Per contest and contestant, the median seconds of a call in every visit."""
    found: dict[Name, dict[str, list[float]]] = {
        name: {caller: [] for caller in calls} for name, calls in contests.items()
    }
    spent, order = dict.fromkeys(contests, 0.0), np.random.default_rng(0)
    for n_visits in tqdm(range(_VISITS), "visits", leave=False, dynamic_ncols=True):
        for name, calls in contests.items():
            if spent[name] > _SECONDS and n_visits >= _FEWEST_VISITS:
                continue
            began = time.perf_counter()
            visit = call_in_turn(
                calls, order, seconds=_SECONDS_PER_VISIT, most=_CALLS_PER_VISIT, least=1
            )
            spent[name] += time.perf_counter() - began
            for caller, seconds in visit.items():
                found[name][caller].append(float(np.median(seconds)))
    return found


def _throughput(step: Step, ratio: Ratio, ours: list[float], bound: list[float]) -> list[Record]:
    """Times of the calls and of the lower bound's, and their ratio, with the samples of each."""
    seconds, bounds = np.array(ours), np.array(bound)
    figures = {
        "call_seconds": (ratio.ours_seconds, seconds),
        "ns_per_cell": (1e9 * ratio.ours_seconds / step.n_cells, 1e9 * seconds / step.n_cells),
        "cells_per_second": (step.n_cells / ratio.ours_seconds, step.n_cells / seconds),
        "lower_bound_seconds": (ratio.other_seconds, bounds),
        "lower_bound_ratio": (ratio.ratio, seconds / bounds),
    }
    return [
        step.record(ratio.transform, metric, value, samples=samples.tolist())
        for metric, (value, samples) in figures.items()
    ]
