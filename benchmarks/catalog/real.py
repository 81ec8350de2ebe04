"""The real cells that losses are measured on, by their number."""

import functools
from collections.abc import Callable
from typing import NamedTuple

from diffbio.datasets import (
    CellData,
    DataError,
    dentate_gyrus,
    pbmc700,
    pbmc_two_batches,
    starmap,
)

__all__ = ["REAL_CELLS", "TIMED_REAL_CELLS", "RealCells", "fields_read", "real_cells"]


class RealCells(NamedTuple):
    """A data set, and the fields that it has, which are known before it is downloaded."""

    load: Callable[[], CellData]
    fields: frozenset[str]


_CLUSTERS = frozenset({"embeddings", "cluster_labels", "assignments"})
_VELOCITY = frozenset({"expression", "velocity", "future_expression"})

REAL_CELLS: dict[int, RealCells] = {
    200: RealCells(dentate_gyrus, _CLUSTERS | _VELOCITY | {"spliced", "unspliced"}),
    400: RealCells(
        pbmc_two_batches, frozenset({"embeddings", "batch_labels", "expression", "counts"})
    ),
    700: RealCells(pbmc700, _CLUSTERS | _VELOCITY | {"batch_labels"}),
    3704: RealCells(starmap, _CLUSTERS | {"batch_labels", "expression", "counts", "positions"}),
}

# The data set that needs no fetching stands for all where programs are timed.
TIMED_REAL_CELLS = 700


def real_cells(n_cells: int = TIMED_REAL_CELLS) -> CellData:
    """The data set of that many cells.

    Raises:
        DataError: it cannot be had. A process tries once: the losses of a sweep that runs
            offline do not wait for the network one after the other.
    """
    found = _attempt(n_cells)
    if isinstance(found, DataError):
        raise found
    return found


@functools.cache
def _attempt(n_cells: int) -> CellData | DataError:
    try:
        return REAL_CELLS[n_cells].load()
    except DataError as error:
        return error


def fields_read(select: Callable[[CellData], object], cells: CellData) -> frozenset[str]:
    """The fields that a selection reads from cells."""
    read: set[str] = set()

    class Recorder:
        def __getattr__(self, name: str) -> object:
            read.add(name)
            return getattr(cells, name)

    select(Recorder())  # type: ignore[arg-type]
    return frozenset(read)
