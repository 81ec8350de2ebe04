"""Cells on the device, and the order in which a training goes through them."""

import itertools
from collections.abc import Iterator, Mapping
from typing import Any

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from diffbio import _checks
from diffbio._types import AnyArray

__all__ = ["minibatches", "on_device", "rows_of"]


def on_device(data: Mapping[str, Any]) -> dict[str, Array]:
    """The arrays on the device, all with the same cells."""
    if not data:
        raise ValueError("data must hold at least one array, got none")
    arrays = {name: _checks.cells(name, value) for name, value in data.items()}
    _checks.same_axis("n_cells", {name: (array, 0) for name, array in arrays.items()})
    return {name: jnp.asarray(array) for name, array in arrays.items()}


def rows_of(cells: Mapping[str, Array], rows: AnyArray) -> dict[str, Array]:
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
