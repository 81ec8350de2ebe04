"""Times of calls, sampled in visits that go round all programs of a sweep.

Calls in a row agree with each other better than with those of a minute later, because
threads, memory pages and other tenants stay in one state for a while. A sample is therefore
the median of one visit. Every round of visits goes over all programs, in an order of its own.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

import numpy as np
from tqdm import tqdm

from benchmarks.measure.checkpoint import Measured
from benchmarks.measure.programs import call_in_turn, warm_up
from benchmarks.measure.ratio import calls_to_compare, ratios_of
from benchmarks.measure.sweep.steps import Step
from benchmarks.measure.sweep.workbench import Workbench
from benchmarks.schema.records import Ratio, Record, Source
from benchmarks.schema.suite import TRANSFORMS

__all__ = ["measure_times", "visit_in_turn"]

_VISITS, _FEWEST_VISITS = 10, 6
_SECONDS_PER_VISIT, _CALLS_PER_VISIT = 0.05, 50
# A program that has been visited for longer than this gets the fewest visits.
_SECONDS = 10.0

Calls = Mapping[str, Callable[[], Any]]
Name = TypeVar("Name")


def measure_times(bench: Workbench, steps: Sequence[Step]) -> Measured:
    """Times of both transforms of all steps, each called in turn with its lower bound."""
    programs: dict[tuple[Step, str], Calls] = {}
    records: list[Record] = []
    ratios: list[Ratio] = []
    for step in steps:
        for transform in TRANSFORMS:
            try:
                programs[step, transform] = _calls(bench, step, transform)
            except Exception as error:
                records.append(step.failure(transform, "call_seconds", error))
    visits = visit_in_turn(programs, np.random.default_rng(0))
    for (step, transform), samples in visits.items():
        ready = bench.prepared(step).programs[transform]
        (ratio,) = ratios_of(step.case, transform, ready.program, ready.phases.compiled, samples)
        records += _throughput(step, ratio, own=samples["loss"], bound=samples[ratio.other])
        if step.source == Source.SIMULATED:  # the real cells are few, and of one size
            ratios.append(ratio)
    return Measured(records, ratios)


def _calls(bench: Workbench, step: Step, transform: str) -> Calls:
    """The loss and its lower bound, called once."""
    ready = bench.prepared(step).programs[transform]
    calls = calls_to_compare(step.case, transform, ready.program, ready.phases.compiled)
    warm_up(calls)
    return calls


def visit_in_turn(
    programs: Mapping[Name, Calls], order: np.random.Generator, *, most: int = _VISITS
) -> dict[Name, dict[str, list[float]]]:
    """The median seconds of every call in every visit, by program and by the name of the call.

    Args:
        programs: the calls that are compared, by name.
        order: draws the order of the programs in every round, and of the calls in a visit.
        most: visits to each program.
    """
    found: dict[Name, dict[str, list[float]]] = {
        name: {call: [] for call in calls} for name, calls in programs.items()
    }
    spent, names = dict.fromkeys(programs, 0.0), list(programs)
    for n_visits in tqdm(range(most), "visits", leave=False, dynamic_ncols=True):
        for name in (names[at] for at in order.permutation(len(names))):
            calls = programs[name]
            if spent[name] > _SECONDS and n_visits >= _FEWEST_VISITS:
                continue
            began = time.perf_counter()
            visit = call_in_turn(
                calls, order, seconds=_SECONDS_PER_VISIT, most=_CALLS_PER_VISIT, least=1
            )
            spent[name] += time.perf_counter() - began
            for call, seconds in visit.items():
                found[name][call].append(float(np.median(seconds)))
    return found


def _throughput(step: Step, ratio: Ratio, *, own: list[float], bound: list[float]) -> list[Record]:
    """Times of the calls and of the lower bound's, and their ratio, with the samples of each."""
    seconds, bounds = np.array(own), np.array(bound)
    measured = {
        "call_seconds": (ratio.ours_seconds, seconds),
        "ns_per_cell": (1e9 * ratio.ours_seconds / step.n_cells, 1e9 * seconds / step.n_cells),
        "cells_per_second": (step.n_cells / ratio.ours_seconds, step.n_cells / seconds),
        "lower_bound_seconds": (ratio.other_seconds, bounds),
        "lower_bound_ratio": (ratio.ratio, seconds / bounds),
    }
    return [
        step.record(ratio.transform, metric, value, samples=samples.tolist())
        for metric, (value, samples) in measured.items()
    ]
