"""What is computed twice, alone and by all processes, and its inputs."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from benchmarks.catalog.cases import Arrays, Case, case

__all__ = ["Check", "Result", "checks_of"]

_COUNTED_SHARE = 0.8


class Result(NamedTuple):
    """The value of a loss, and its gradients by argument, as NumPy's arrays."""

    value: Any
    gradients: dict[str, Any]


class Check(NamedTuple):
    """One call of a loss with its gradient.

    Attributes:
        loss: the loss's name in the catalog.
        dtype: of the floating arguments, ``float32`` or ``float64``.
        masked: whether some of the cells are masked.
        n_cells: how many there are.
    """

    loss: str
    dtype: str
    masked: bool
    n_cells: int

    @property
    def case(self) -> Case:
        """The loss."""
        return case(self.loss)

    def inputs(self) -> Arrays:
        """The arguments, which are the same in every process."""
        arrays = self.case.make_inputs(self.n_cells, dtype=np.dtype(self.dtype))
        if not self.masked:
            return arrays
        counted = np.random.default_rng(0).random(self.n_cells) < _COUNTED_SHARE
        return {**arrays, "where": counted}


def checks_of(losses: Sequence[str], n_cells: int, n_devices: int) -> list[Check]:
    """All checks of the losses, for ``n_cells`` and for the next number of another kind.

    One of the two numbers is a multiple of the number of devices, and the other is not.
    """
    counts = (n_cells, n_cells + (-n_cells % n_devices or 1))
    return [
        Check(loss, dtype, masked, count)
        for loss in losses
        for dtype in ("float32", "float64")
        for count in counts
        for masked in (False, True)
    ]
