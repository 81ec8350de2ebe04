"""The counters of one device, for the gradient of every loss over more and more devices."""

from collections.abc import Sequence

from benchmarks.catalog.cases import Case
from benchmarks.measure.checkpoint import Measured
from benchmarks.measure.devices.counters import can_be_split, counters_of_a_device
from benchmarks.measure.sweep.steps import Step
from benchmarks.schema.records import Source

__all__ = ["measure_scaling"]

_TRANSFORM = "value_and_grad"


def measure_scaling(sizes: Sequence[tuple[int, str]], cases: Sequence[Case]) -> Measured:
    """The records of all cases at all sizes: numbers of cells, and the devices they are split over.

    A case that cannot be split is skipped.
    """
    steps = [Step(case, mesh, Source.SIMULATED, n) for case in cases for n, mesh in sizes]
    split = [step for step in steps if can_be_split(step.case)]
    records = [
        step.skipped(_TRANSFORM, "the loss accepts no axis_name")
        for step in steps
        if step not in split
    ]
    counted = counters_of_a_device([(s.case.name, s.n_cells, s.device) for s in split])
    for step, counters in zip(split, counted, strict=True):
        if isinstance(counters, BaseException):
            records.append(step.failure(_TRANSFORM, "value", counters))
        else:
            records += step.records(_TRANSFORM, counters)
    return Measured(records)
