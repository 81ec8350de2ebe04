"""What is accepted as a temperature of batch mixing."""

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
    elif not _checks.is_traced(perplexity):
        enough = float(3 if perplexity is None else perplexity)
        most = n_neighbors if listed is None else _most_neighbors(listed, where, enough)
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
    if not _checks.is_traced(numbers):
        unusable = ~(np.isfinite(numbers) & (np.asarray(numbers) >= 1))
        if unusable.any():
            raise ValueError(
                "temperature.perplexity must be finite and at least 1 for every cell, "
                f"got {np.asarray(numbers)[unusable][0]}"
            )


def _most_neighbors(listed: AnyArray, where: AnyArray | None, enough: float) -> int:
    """The neighbours of the cell that has the most, or of the first that has more than enough.

    Where lists are traced, or short because cells are masked, it is their width.
    """
    if _checks.is_traced(listed) or where is not None:
        return listed.shape[1]
    most = 0
    for i, row in enumerate(np.asarray(listed)):
        most = max(most, len(np.setdiff1d(row[row >= 0], i)))
        if most > enough:
            break
    return most
