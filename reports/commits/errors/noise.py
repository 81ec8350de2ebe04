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
        bound_slowdown: what the head's lower bounds take more, as a logarithm.
        tick: what the clock counts in, as a share of the time.
    """

    description: str
    program: Draw
    machine: Draw
    bound_slowdown: float = 0.0
    tick: float = 0.0

    def draw(
        self, rng: np.random.Generator, shape: tuple[int, int, int]
    ) -> tuple[np.ndarray, np.ndarray]:
        """Logarithms of a program's seconds, and of those of its lower bound.

        Args:
            rng: where the noise comes from.
            shape: numbers of reports, of times, and of processes in the order of time.
        """
        n_reports, _, n_processes = shape
        machine = self.machine(rng, (n_reports, 1, n_processes))
        return self.program(rng, shape) + machine, self.program(rng, shape) + SHARED * machine

    def read(self, logarithms: np.ndarray) -> np.ndarray:
        """What the clock reads."""
        if not self.tick:
            return logarithms
        return np.log(self.tick * np.maximum(1, np.round(np.exp(logarithms) / self.tick)))


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
    shocks = deviation * np.sqrt(1 - stay**2) * rng.standard_normal(shape)
    shocks[..., 0] /= np.sqrt(1 - stay**2)
    return signal.lfilter([1], [1, -stay], shocks)


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
    "clock ticks": Noise(
        "3 % a process, and the clock counts in ticks of 6 % of the time",
        _normal(0.03),
        _nothing,
        tick=0.06,
    ),
    "slower bound": Noise(
        "the machine's speed wanders as before, and the lower bounds of the head are 15 % slower",
        _normal(0.03),
        _wandering,
        bound_slowdown=np.log(1.15),
    ),
}
