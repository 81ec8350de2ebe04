"""How far the results of all processes are from those of one, against the tolerances."""

from collections.abc import Sequence
from itertools import chain
from typing import Any, NamedTuple

import pandas as pd
from tqdm import tqdm

from benchmarks.distributed.checks import Check, Result, checks_of
from benchmarks.distributed.launcher import answers_of
from benchmarks.distributed.worker import alone, together
from benchmarks.measure.sweep.accuracy import reference_errors
from benchmarks.schema.tolerances import DEVICE_TOLERANCES

__all__ = ["Comparison", "compare_processes", "table"]


class Comparison(NamedTuple):
    """The relative errors of a check.

    Attributes:
        check: what was computed.
        value_error: of the value.
        gradient_error: of the worst gradient.
    """

    check: Check
    value_error: float
    gradient_error: float

    @property
    def agrees(self) -> bool:
        """Whether both errors are within the tolerances."""
        largest = DEVICE_TOLERANCES[self.check.dtype]
        return all(getattr(self, name) <= tolerance for name, tolerance in largest.items())

    def row(self) -> dict[str, Any]:
        """The comparison as a row of a table."""
        errors = {"value_error": self.value_error, "gradient_error": self.gradient_error}
        return {**self.check._asdict(), **errors, "agrees": self.agrees}


def compare_processes(
    losses: Sequence[str], n_cells: int, n_processes: int, n_devices: int
) -> list[Comparison]:
    """Compute every check in all processes, each of which has so many devices, then alone.

    Raises:
        ProcessEndedError: a process ended too early.
    """
    checks = checks_of(losses, n_cells, n_processes * n_devices)
    answers = chain(
        answers_of(together, n_processes, n_devices, checks), answers_of(alone, 1, checks)
    )
    results = list(tqdm(answers, "results", 2 * len(checks), unit="result", dynamic_ncols=True))
    found, expected = results[: len(checks)], results[len(checks) :]
    return list(map(_compared, checks, expected, found))


def _compared(check: Check, expected: Result, found: Result) -> Comparison:
    errors = reference_errors(expected, *found)
    return Comparison(check, errors["value_error"], errors["gradient_error"])


def table(found: Sequence[Comparison]) -> str:
    """The comparisons as lines of text."""
    return pd.DataFrame([one.row() for one in found]).to_string(
        index=False, float_format=lambda number: f"{number:.1e}"
    )
