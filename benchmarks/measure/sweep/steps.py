"""The steps of a sweep: each is one loss on one set of cells on one device."""

import math
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from benchmarks.catalog.cases import Arrays, Case, simulated_cells
from benchmarks.catalog.real import REAL_CELLS, real_cells
from benchmarks.schema.records import Record, Source, Status

__all__ = ["Inputs", "Step", "steps_on"]


class Inputs(NamedTuple):
    """The arguments of a loss on the host, and the digest of the cells they come from, by name."""

    arrays: Arrays
    digests: Mapping[str, str]


class Step(NamedTuple):
    """One loss on one set of cells on one device."""

    case: Case
    device: str
    source: Source
    n_cells: int

    @property
    def name(self) -> str:
        """What the progress bar and the file call the step."""
        return f"{self.case.name} {self.source} {self.n_cells} {self.device}"

    def inputs(self) -> Inputs:
        """The loss's arguments; losses of the same cells share one simulation, or one reading."""
        if self.source == Source.REAL:
            name, cells = f"real {self.n_cells}", real_cells(self.n_cells)
        else:
            name = f"{self.case.simulation} {self.n_cells}"
            cells = simulated_cells(self.case.simulation, self.n_cells, 0)
        return Inputs(self.case.arguments(cells), {name: cells.digest})

    def record(
        self,
        transform: str,
        metric: str,
        value: Any,
        *,
        samples: Sequence[float] = (),
        status: Status = Status.OK,
        detail: str = "",
        dtype: str = "float32",
    ) -> Record:
        """A measurement, which has failed if a number is not finite: no verdict can use it."""
        for number in (value, *samples):
            if isinstance(number, float) and not math.isfinite(number):
                value, samples = None, ()
                status, detail = Status.FAILED, f"the {metric} is {number}"
                break
        return Record(
            benchmark=f"{self.case.name}:{transform}",
            source=self.source,
            n_cells=self.n_cells,
            device=self.device,
            metric=metric,
            dtype=dtype,
            value=value,
            samples=samples,
            status=status,
            detail=detail,
        )

    def records(self, transform: str, found: Mapping[str, Any]) -> list[Record]:
        """A measurement per metric."""
        return [self.record(transform, metric, value) for metric, value in found.items()]

    def failure(self, transform: str, metric: str, error: BaseException, **more: Any) -> Record:
        """A record of what was raised: a failure must show in the report, not end the sweep."""
        detail = f"{type(error).__name__}: {error}"
        return self.record(transform, metric, None, status=Status.FAILED, detail=detail, **more)

    def skipped(self, transform: str, reason: str) -> Record:
        """A record that says why a program was not run."""
        return self.record(transform, "value", None, status=Status.SKIPPED, detail=reason)


def steps_on(
    device: str, cell_counts: Sequence[int], cases: Sequence[Case], *, real: bool
) -> list[Step]:
    """The steps of one device, size by size: cells are simulated, or read, once per size."""
    by_simulation = sorted(cases, key=lambda case: case.simulation)
    steps = [
        Step(case, device, Source.SIMULATED, n_cells)
        for n_cells in cell_counts
        for case in by_simulation
    ]
    served = {case.name: case.real_sizes() for case in cases if real}
    return steps + [
        Step(case, device, Source.REAL, n_cells)
        for n_cells in REAL_CELLS
        for case in cases
        if n_cells in served.get(case.name, ())
    ]
