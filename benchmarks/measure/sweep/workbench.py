"""The compiled programs of one device, which all measurements of a sweep share."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import jax
import numpy as np

from benchmarks.measure.programs import (
    CompilePhases,
    Program,
    compile_cold,
    lacking_memory,
    program,
)
from benchmarks.measure.sweep.accuracy import KeptSearch
from benchmarks.measure.sweep.steps import Step
from benchmarks.schema.suite import TRANSFORMS
from diffbio.neighbors import nearest_neighbors
from reference import neighbors

__all__ = ["Outputs", "Prepared", "Workbench", "named_outputs"]


class Outputs(NamedTuple):
    """What a program returned; without gradients where it returns the value alone."""

    value: Any
    gradients: Mapping[str, Any]


def named_outputs(transform: str, returned: Any) -> Outputs:
    """The parts of what a program returned, on the device and complete."""
    value, gradients = returned if transform == "value_and_grad" else (returned, {})
    return jax.block_until_ready(Outputs(value, gradients))


class Prepared(NamedTuple):
    """A program on the device, and how its compilation went."""

    transform: str
    program: Program
    phases: CompilePhases

    def outputs(self) -> Outputs:
        """What a call returns."""
        return named_outputs(self.transform, self.phases.compiled(*self.program.arguments))


class PreparedStep(NamedTuple):
    """The programs of a step by transform, and the digests of its cells."""

    programs: Mapping[str, Prepared]
    digests: Mapping[str, str]


class Workbench:
    """One device's programs, each compiled where it is first asked for and then kept.

    A sweep hands one workbench to the measurements of every step, to the comparison with a
    second process, and to the timing, which calls all programs in turn and comes last. Then
    the sweep clears the workbench. In a sweep that goes on after an interruption, the timing
    compiles again what the earlier run had compiled.
    """

    def __init__(self) -> None:
        self.expected_neighbors = KeptSearch(neighbors.nearest_neighbors)
        self.found_neighbors = KeptSearch(_library_search)
        self._obstacles: dict[Step, str | None] = {}
        self._prepared: dict[Step, PreparedStep] = {}

    def obstacle(self, step: Step) -> str | None:
        """Why this machine cannot measure a step, or None where it can; decided once."""
        if step not in self._obstacles:
            self._obstacles[step] = _obstacle(step)
        return self._obstacles[step]

    def possible(self, steps: Sequence[Step]) -> list[Step]:
        """The steps that this machine can measure."""
        return [step for step in steps if self.obstacle(step) is None]

    def prepared(self, step: Step) -> PreparedStep:
        """Both transforms of a step, compiled."""
        if step not in self._prepared:
            self._prepared[step] = _prepare(step)
        return self._prepared[step]

    def clear(self) -> None:
        """Drop all programs and the arrays that they are called with."""
        self._prepared.clear()
        self.found_neighbors.clear()
        self.expected_neighbors.clear()


def _prepare(step: Step) -> PreparedStep:
    device = jax.devices(step.device)[0]
    inputs = step.inputs()
    arrays = jax.device_put(inputs.arrays, device)
    programs = {name: program(step.case, name, arrays, device) for name in TRANSFORMS}
    prepared = {
        name: Prepared(name, found, compile_cold(found)) for name, found in programs.items()
    }
    return PreparedStep(prepared, inputs.digests)


def _library_search(points: jax.Array, n_neighbors: int) -> np.ndarray:
    return np.asarray(nearest_neighbors(points, n_neighbors).indices)


def _obstacle(step: Step) -> str | None:
    try:
        jax.devices(step.device)
    except RuntimeError:
        return f"no {step.device} on this machine"
    return lacking_memory(step.case, step.n_cells)
