"""Kinds of noise on the times of processes, as they were seen on shared machines."""

from collections.abc import Callable, Mapping
from typing import NamedTuple

import numpy as np
from scipy import signal

__all__ = ["NOISES", "SHARED", "Noise"]

# The lower bound is measured in the same visit: this share of the machine's logarithmic noise
# acts on it, too. Nothing else is common to the two.
SHARED = 0.8


Draw = Callable[[np.random.Generator, tuple[int, ...]], np.ndarray]


class Noise(NamedTuple):
    """A kind of noise; what it draws is added to the logarithms of times.

    Attributes:
        description: what happens, in words.
        program: draws what every program has of its own in every process.
        machine: draws what all programs of a process have in common; the last axis is the
            order in which the processes run.
    """

    description: str
    program: Draw
    machine: Draw

    def draw(
        self, rng: np.random.Generator, shape: tuple[int, int, int]
    ) -> tuple[np.ndarray, np.ndarray]:
        """Logarithms of seconds, and of their ratios to the lower bound.

        Args:
            rng: where the noise comes from.
            shape: numbers of reports, of figures, and of processes in the order of time.
        """
        n_reports, _, n_processes = shape
        machine = self.machine(rng, (n_reports, 1, n_processes))
        seconds = self.program(rng, shape) + machine
        bound = self.program(rng, shape) + SHARED * machine
        return seconds, seconds - bound


def _normal(deviation: float) -> Draw:
    return lambda rng, shape: deviation * rng.standard_normal(shape)


def _nothing(rng: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
    return np.zeros(shape)


def _heavy(rng: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
    return np.log1p(rng.lognormal(np.log(0.05), 1.0, shape))


def _two_states(rng: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
    slow = rng.random(shape) < 0.5
    return np.log(1.15) * slow + 0.02 * rng.standard_normal(shape)


def _drift(rng: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
    return np.broadcast_to(np.log(np.linspace(1, 1.3, shape[-1])), shape)


def _wandering(rng: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
    stay, deviation = 0.9, 0.1
    steps = deviation * np.sqrt(1 - stay**2) * rng.standard_normal(shape)
    steps[..., 0] /= np.sqrt(1 - stay**2)
    return signal.lfilter([1], [1, -stay], steps)


# Each adds to the logarithm of a process's median time.
NOISES: Mapping[str, Noise] = {
    "independent": Noise("3 % a process", _normal(0.03), _nothing),
    "process": Noise("5 % a process: memory layout, huge pages", _normal(0.05), _nothing),
    "lognormal": Noise(
        "heavy-tailed: what is added to the time has the median 5 % and the mean 8 %",
        _heavy,
        _nothing,
    ),
    "two states": Noise(
        "every other process, at random, is 15 % slower; 2 % beside", _two_states, _nothing
    ),
    "drift": Noise(
        "the machine gets 30 % slower from first to last; 3 % a process", _normal(0.03), _drift
    ),
    "wandering": Noise(
        "the machine's speed wanders by 10 %, 0.9 of it stays from process to process; "
        "3 % a process",
        _normal(0.03),
        _wandering,
    ),
}
