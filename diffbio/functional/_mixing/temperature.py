"""What is accepted as a temperature of batch mixing."""

from functools import partial
from typing import Any

import numpy as np

from diffbio import _checks
from diffbio._types import AnyArray
from diffbio.functional.temperature import Local, Perplexity, Temperature

__all__ = ["checked_perplexity", "checked_temperature"]


def checked_temperature(temperature: object) -> Temperature:
    """The temperature, whose numbers are finite and above 0."""
    match temperature:
        case Local(scale):
            return Local(_checks.positive("temperature.scale", scale))
        case Perplexity(None):
            return Perplexity()
        case Perplexity(perplexity):
            numbers: Any = _checks.as_array("temperature.perplexity", perplexity)
            if not numbers.ndim:
                numbers = _checks.positive("temperature.perplexity", perplexity)
            return Perplexity(numbers)
    if isinstance(temperature, str | type):
        raise TypeError(
            "temperature must be a number, Local(scale) or Perplexity(perplexity), "
            f"got {temperature!r}"
        )
    return _checks.positive("temperature", temperature)


def checked_perplexity(
    temperature: Temperature,
    n_neighbors: int,
    listed: AnyArray | None,
    where: AnyArray | None,
    n_cells: int,
) -> None:
    """Require more than 1 and less than the number of neighbours of the cell that has the most.

    Numbers per cell are finite and at least 1. Cells with fewer neighbours are accepted.
    """
    if not isinstance(temperature, Perplexity):
        return
    perplexity: Any = temperature.perplexity
    if np.ndim(perplexity):
        _check_perplexities(perplexity, n_cells)
        return
    # Where lists are unknown, or short because cells are masked, their width counts.
    unmasked = listed is not None and where is None
    if not (unmasked and _checks.when_known(_check_in_lists, perplexity, listed)):
        most = n_neighbors if listed is None else listed.shape[1]
        _checks.when_known(partial(_check_below, most), perplexity)


def _check_in_lists(perplexity: Any, listed: AnyArray) -> None:
    enough = float(3 if perplexity is None else perplexity)
    _check_below(_most_neighbors(np.asarray(listed), enough), perplexity)


def _check_below(most: int, perplexity: Any) -> None:
    given = most / 3 if perplexity is None else perplexity
    # Lists without any neighbour are accepted, as a mask that leaves none is.
    if most and not 1 < float(given) < most:
        raise ValueError(
            "temperature.perplexity must lie between 1 and the number of neighbours "
            f"{most}, got {given}"
        )


def _check_perplexities(numbers: AnyArray, n_cells: int) -> None:
    if numbers.shape != (n_cells,) or numbers.dtype.kind not in "fiu":
        raise ValueError(
            f"temperature.perplexity must be a number or have shape (n_cells,) = ({n_cells},), "
            f"got {numbers.dtype} of shape {numbers.shape}"
        )
    _checks.when_known(_check_each, numbers)


def _check_each(perplexities: AnyArray) -> None:
    numbers = np.asarray(perplexities)
    unusable = ~(np.isfinite(numbers) & (numbers >= 1))
    if unusable.any():
        raise ValueError(
            "temperature.perplexity must be finite and at least 1 for every cell, "
            f"got {numbers[unusable][0]}"
        )


def _most_neighbors(listed: np.ndarray, enough: float) -> int:
    """The neighbours of the cell that has the most, or of the first that has more than enough."""
    most = 0
    for i, row in enumerate(listed):
        most = max(most, len(np.setdiff1d(row[row >= 0], i)))
        if most > enough:
            break
    return most
