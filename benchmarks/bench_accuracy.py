"""Errors against the NumPy reference and its finite differences, and results that change."""

from benchmarks._asv import Swept, tracked
from benchmarks.schema.suite import (
    CELL_COUNTS,
    CHECKED_CELLS,
    DEVICES,
    GRADIENT_PROGRAMS,
    PROGRAMS,
    REFERENCE_CELLS,
    SMALLEST_CELLS,
)

_CELLS = tuple(n_cells for n_cells in CELL_COUNTS if n_cells <= REFERENCE_CELLS)


class Values(Swept):
    params = (PROGRAMS, _CELLS, DEVICES)
    track_value_error = tracked("value_error")


class Gradients(Swept):
    params = (GRADIENT_PROGRAMS, _CELLS, DEVICES)
    track_gradient_error = tracked("gradient_error")
    track_neighbor_error = tracked("neighbor_error")


class Determinism(Swept):
    """Counts arrays that change when the call is repeated or run in another process.

    Tracks the error of a search in other blocks, too. The sweep measures that error at more
    sizes than asv keeps.
    """

    params = (PROGRAMS, SMALLEST_CELLS, DEVICES)
    track_differing_repeats = tracked("differing_repeats")
    track_differing_processes = tracked("differing_processes")
    track_block_size_error = tracked("block_size_error")


class FiniteDifferences(Swept):
    params = (GRADIENT_PROGRAMS, (CHECKED_CELLS,), DEVICES)
    track_finite_difference_error = tracked("finite_difference_error")
