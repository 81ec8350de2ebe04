"""What an experiment is: a named function that measures one thing for several seeds."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from benchmarks.measure.checkpoint import Parts
from benchmarks.schema.observations import (
    Association,
    Course,
    Margin,
    Scatter,
    Training,
)

__all__ = ["FULL", "SMALL", "Claim", "Experiment", "Found", "Observed", "Size"]


class Size(NamedTuple):
    """How much an experiment does.

    Attributes:
        n_seeds: seeds of a claim; those that need more of them take ``many_seeds``.
        many_seeds: seeds of experiments whose outcome is yes or no.
        n_cells: simulated cells.
        n_real_cells: real cells of each data set at most; None for all.
        n_steps: steps of a training.
        n_points: points of a sweep.
        n_weights: weights that are tried for every method.
    """

    n_seeds: int
    many_seeds: int
    n_cells: int
    n_real_cells: int | None
    n_steps: int
    n_points: int
    n_weights: int


FULL = Size(5, 20, 512, None, 400, 20, 5)
SMALL = Size(2, 2, 128, 200, 4, 4, 1)


class Observed(NamedTuple):
    """What an experiment yields."""

    margins: Sequence[Margin] = ()
    associations: Sequence[Association] = ()
    trainings: Sequence[Training] = ()
    courses: Sequence[Course] = ()
    scatters: Sequence[Scatter] = ()

    def parts(self) -> Parts:
        """The rows, as the file holds them."""
        return {name: [row.row() for row in rows] for name, rows in self._asdict().items()}


class Experiment(NamedTuple):
    """A named measurement, which an interrupted run repeats as a whole."""

    name: str
    measure: Callable[[Size], Observed]


class Found(NamedTuple):
    """By how much a claim held, and the numbers that show it."""

    margin: float
    numbers: Mapping[str, float]


class Claim(NamedTuple):
    """A statement about a loss, and how it is put to the test.

    Attributes:
        loss: the loss.
        statement: the statement.
        examine: maps a seed and a size to what was found under each condition. A claim that is
            not conditional has the one condition ``""``.
        many: whether the outcome is so noisy that ``many_seeds`` are needed.
    """

    loss: str
    statement: str
    examine: Callable[[int, Size], Mapping[str, Found]]
    many: bool = False

    @property
    def experiment(self) -> Experiment:
        """The experiment that measures the claim for every seed."""
        return Experiment(f"{self.loss}: {self.statement}", self._measure)

    def _measure(self, size: Size) -> Observed:
        n_seeds = size.many_seeds if self.many else size.n_seeds
        return Observed(margins=[row for seed in range(n_seeds) for row in self._rows(seed, size)])

    def _rows(self, seed: int, size: Size) -> list[Margin]:
        """The margins of one seed; an error is evidence against the claim."""
        try:
            found = self.examine(seed, size)
        except Exception as error:  # the page shows it, and the other experiments go on
            said = f"{type(error).__name__}: {error}"
            return [self._row("", seed, None, {}, said)]
        return [
            self._row(condition, seed, float(margin), _plain(numbers), "")
            for condition, (margin, numbers) in found.items()
        ]

    def _row(self, condition: str, seed: int, *found: Any) -> Margin:
        return Margin(self.loss, self.statement, condition, seed, *found)


def _plain(numbers: Mapping[str, Any]) -> dict[str, float]:
    return {name: float(number) for name, number in numbers.items()}
