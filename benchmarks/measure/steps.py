"""What a sweep is made of: one loss on one set of cells on one device, compiled once."""

import functools
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import jax

from benchmarks.catalog.cases import CATALOG, Arrays, Case
from benchmarks.measure.programs import (
    CompilePhases,
    Program,
    compile_cold,
    lacking_memory,
    program,
)
from benchmarks.schema.records import Record, Source
from benchmarks.schema.suite import TRANSFORMS

__all__ = ["Prepared", "Step", "obstacle", "prepared", "steps_on"]


class Step(NamedTuple):
    """One loss on one set of cells on one device."""

    case: Case
    device: str
    source: Source
    n_cells: int

    def record(self, transform: str, metric: str, value: Any, **more: Any) -> Record:
        return Record(
            benchmark=f"{self.case.name}:{transform}",
            loss=self.case.name,
            transform=transform,
            source=self.source,
            n_cells=self.n_cells,
            device=self.device,
            metric=metric,
            value=value,
            **{"dtype": "float32", **more},
        )

    def failure(self, transform: str, metric: str, error: Exception, **more: Any) -> Record:
        """A record of what was raised: a failure must show in the report, not end the sweep."""
        detail = f"{type(error).__name__}: {error}"
        return self.record(transform, metric, None, status="failed", detail=detail, **more)

    def inputs(self) -> Arrays:
        """The arguments of the loss, on the host."""
        if self.source == Source.REAL:
            return self.case.real_inputs()
        return self.case.make_inputs(self.n_cells)


class Prepared(NamedTuple):
    """A program on the device, and how its compilation went."""

    program: Program
    phases: CompilePhases

    def call(self) -> Any:
        return self.phases.compiled(*self.program.arguments)


def steps_on(device: str, cell_counts: Sequence[int], *, real: bool) -> list[Step]:
    """The steps of one device, size by size, so that cells are simulated once per size."""
    cases = sorted(CATALOG, key=lambda case: case.simulation)
    steps = [
        Step(case, device, Source.SIMULATED, n_cells) for n_cells in cell_counts for case in cases
    ]
    return steps + [Step(case, device, Source.REAL, 700) for case in CATALOG if real]


@functools.cache
def obstacle(step: Step) -> str | None:
    """Why this machine cannot measure a step, or None where it can; decided once."""
    try:
        jax.devices(step.device)
    except RuntimeError:
        return f"no {step.device} on this machine"
    return lacking_memory(step.case, step.n_cells)


@functools.cache
def prepared(step: Step) -> Mapping[str, Prepared]:
    """Both transforms of a step, compiled; kept until the cache is cleared, for its times."""
    device = jax.devices(step.device)[0]
    arrays = jax.device_put(step.inputs(), device)
    programs = {name: program(step.case, name, arrays, device) for name in TRANSFORMS}
    return {name: Prepared(found, compile_cold(found)) for name, found in programs.items()}
