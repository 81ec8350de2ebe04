"""The order in which a training goes through the cells."""

import itertools
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from diffbio._types import AnyArray

__all__ = ["minibatches", "rows_of"]


def rows_of(cells: Mapping[str, Any], rows: AnyArray) -> dict[str, Any]:
    """A minibatch: these rows of every array."""
    return {name: array[rows] for name, array in cells.items()}


def minibatches(
    n_cells: int, batch_size: int, seed: int, first: int = 0
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Rows and mask of every minibatch from step ``first`` on, without an end.

    The order of an epoch follows from seed and epoch alone. A training that is resumed
    needs no other state.
    """
    per_epoch = -(-n_cells // batch_size)
    shape = (per_epoch, batch_size)
    where = np.arange(per_epoch * batch_size).reshape(shape) < n_cells
    for epoch in itertools.count(first // per_epoch):
        order = np.random.default_rng([seed, epoch]).permutation(n_cells).astype(np.int32)
        # This repeats the order's first rows at its end.
        rows = np.resize(order, shape)
        begin = max(first - epoch * per_epoch, 0)
        yield from zip(rows[begin:], where[begin:], strict=True)
