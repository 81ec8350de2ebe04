"""What batch mixing accepts as its configuration."""

from typing import TypeAlias

import numpy as np
from jaxtyping import Float

from diffbio import _checks
from diffbio._types import AnyArray, Scalar, StaticInteger
from diffbio.functional._mixing.proportions import Proportions, checked_proportions

__all__ = ["ScalarOrPerCell", "check_batch_mixing_configuration", "checked_perplexity"]

# One number for all cells, or one number for each.
ScalarOrPerCell: TypeAlias = Scalar | Float[AnyArray, " n_cells"]

BANDWIDTHS = ("global", "local", "perplexity")
INDEXES = ("entropy", "simpson")


def check_batch_mixing_configuration(
    *,
    n_batches: StaticInteger,
    n_neighbors: StaticInteger,
    temperature: Scalar,
    normalize: bool,
    proportions: Proportions,
    bandwidth: str,
    perplexity: ScalarOrPerCell | None,
    index: str,
    block_size: StaticInteger | None,
) -> tuple[int, int, int | None]:
    """Raise for a configuration that no data could make valid; return its integers."""
    n_batches = _checks.positive_integer("n_batches", n_batches)
    n_neighbors = _checks.positive_integer("n_neighbors", n_neighbors)
    _checks.positive("temperature", temperature)
    _checks.flag("normalize", normalize)
    _checks.choice("bandwidth", bandwidth, BANDWIDTHS)
    _checks.choice("index", index, INDEXES)
    if normalize and n_batches == 1:
        raise ValueError(
            "normalize=True divides by the range of the index and needs n_batches >= 2, got 1"
        )
    _check_width(bandwidth, temperature, perplexity)
    checked_proportions(proportions, n_batches)
    uniform = isinstance(proportions, str) and proportions == "uniform"
    if index == "simpson" and not uniform:
        raise ValueError(
            f"index='simpson' measures mixing against proportions='uniform', got {proportions!r}"
        )
    return n_batches, n_neighbors, _checks.block_size(block_size)


def _check_width(bandwidth: str, temperature: Scalar, perplexity: ScalarOrPerCell | None) -> None:
    if perplexity is not None:
        if not _checks.as_array("perplexity", perplexity).ndim:
            _checks.positive("perplexity", perplexity)
        if bandwidth != "perplexity":
            raise ValueError(
                f"perplexity={perplexity} needs bandwidth='perplexity', got {bandwidth!r}"
            )
    if bandwidth == "perplexity" and not _checks.is_traced(temperature) and temperature != 1:
        raise ValueError(f"bandwidth='perplexity' needs temperature=1, got {temperature}")


def checked_perplexity(
    perplexity: ScalarOrPerCell | None,
    n_neighbors: int,
    listed: AnyArray | None,
    where: AnyArray | None,
    n_cells: int,
) -> ScalarOrPerCell | None:
    """Return more than 1 and less than the number of neighbours of the cell that has the most.

    Numbers per cell are finite and at least 1. Cells with fewer neighbours are accepted.
    """
    if perplexity is not None:
        numbers = _checks.as_array("perplexity", perplexity)
        if numbers.ndim:
            return _checked_perplexities(numbers, n_cells)
        perplexity = _checks.positive("perplexity", perplexity)
    if not _checks.is_traced(perplexity):
        enough = float(3 if perplexity is None else perplexity)
        most = n_neighbors if listed is None else _most_neighbors(listed, where, enough)
        given = most / 3 if perplexity is None else perplexity
        # Lists without any neighbour are accepted, as a mask that leaves none is.
        if most and not 1 < float(given) < most:
            raise ValueError(
                f"perplexity must lie between 1 and the number of neighbours {most}, got {given}"
            )
    return perplexity


def _checked_perplexities(numbers: AnyArray, n_cells: int) -> AnyArray:
    if numbers.shape != (n_cells,) or numbers.dtype.kind not in "fiu":
        raise ValueError(
            f"perplexity must be a number or have shape (n_cells,) = ({n_cells},), "
            f"got {numbers.dtype} of shape {numbers.shape}"
        )
    if not _checks.is_traced(numbers):
        unusable = ~(np.isfinite(numbers) & (np.asarray(numbers) >= 1))
        if unusable.any():
            raise ValueError(
                "perplexity must be finite and at least 1 for every cell, "
                f"got {np.asarray(numbers)[unusable][0]}"
            )
    return numbers


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
