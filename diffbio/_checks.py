"""Argument checks: each names the argument, what was given and what is accepted.

They run before any tracing of the computation. What is unknown under ``jit``
(the value of a traced array or scalar) is not checked.
"""

import math
from collections.abc import Sequence

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

__all__ = [
    "batch_labels",
    "choice",
    "finite",
    "flag",
    "floating",
    "integer_indices",
    "mask",
    "neighbor_count",
    "neighbors",
    "non_negative",
    "positive",
    "positive_integer",
    "same_axis",
]


def _is_traced(value: object) -> bool:
    return isinstance(value, jax.core.Tracer)


def floating(name: str, value: object, axes: Sequence[str]) -> Array:
    """Return ``value`` as a real floating array with one axis per name in ``axes``."""
    array = jnp.asarray(value)
    if not jnp.issubdtype(array.dtype, jnp.floating):
        raise TypeError(f"{name} must have a real floating dtype, got {array.dtype}")
    return _ranked(name, array, axes)


def integer_indices(name: str, value: object, axes: Sequence[str]) -> Array:
    """Return ``value`` as an integer array with one axis per name in ``axes``."""
    array = jnp.asarray(value)
    if not jnp.issubdtype(array.dtype, jnp.integer):
        raise TypeError(f"{name} must have an integer dtype, got {array.dtype}")
    return _ranked(name, array, axes)


def _ranked(name: str, array: Array, axes: Sequence[str]) -> Array:
    if array.ndim != len(axes):
        expected = ", ".join(axes)
        raise ValueError(f"{name} must have shape ({expected}), got shape {array.shape}")
    if 0 in array.shape:
        raise ValueError(f"{name} must not be empty along any axis, got shape {array.shape}")
    return array


def same_axis(axis: str, sizes: dict[str, tuple[Array, int]]) -> None:
    """Require the given axis of every named array to have one common length."""
    lengths = {array.shape[index] for array, index in sizes.values()}
    if len(lengths) > 1:
        shapes = ", ".join(f"{name} {array.shape}" for name, (array, _) in sizes.items())
        raise ValueError(f"arguments must agree in {axis}, got shapes {shapes}")


def mask(where: object, n_cells: int) -> Array | None:
    """Return ``where`` as a boolean ``(n_cells,)`` array, or None if there is none."""
    if where is None:
        return None
    array = jnp.asarray(where)
    if array.dtype != jnp.bool_:
        raise TypeError(f"where must have dtype bool, got {array.dtype}")
    if array.shape != (n_cells,):
        raise ValueError(f"where must have shape (n_cells,) = ({n_cells},), got {array.shape}")
    return array


def batch_labels(value: object, n_batches: int, where: Array | None) -> Array:
    """Return integer batch labels; concrete ones must lie in ``[0, n_batches)``."""
    labels = integer_indices("batch_labels", value, ("n_cells",))
    if _is_traced(labels) or _is_traced(where):
        return labels
    counted = np.asarray(labels)
    if where is not None and where.shape == counted.shape:
        counted = counted[np.asarray(where)]
    if counted.size and (counted.min() < 0 or counted.max() >= n_batches):
        raise ValueError(
            f"batch_labels must lie in [0, {n_batches}) (n_batches={n_batches}), "
            f"got labels from {counted.min()} to {counted.max()}"
        )
    return labels


def neighbor_count(n_neighbors: int, n_cells: int) -> None:
    """Require ``1 <= n_neighbors < n_cells``."""
    positive_integer("n_neighbors", n_neighbors)
    if n_neighbors >= n_cells:
        raise ValueError(
            f"n_neighbors={n_neighbors} needs at least {n_neighbors + 1} cells, got {n_cells}"
        )


def neighbors(value: object, n_neighbors: int, x: Array) -> Array | None:
    """Return precomputed neighbour indices, or None after checking ``n_neighbors``."""
    if value is None:
        neighbor_count(n_neighbors, x.shape[0])
        return None
    indices = integer_indices("neighbor_indices", value, ("n_cells", "n_neighbors"))
    same_axis("n_cells", {"neighbor_indices": (indices, 0), "the cells": (x, 0)})
    if not _is_traced(indices) and indices.size and indices.max() >= x.shape[0]:
        raise ValueError(
            f"neighbor_indices must be below n_cells={x.shape[0]}, got {indices.max()}"
        )
    return indices


def positive_integer(name: str, value: object) -> None:
    """Require an integer of at least 1."""
    if isinstance(value, bool) or not isinstance(value, int | np.integer):
        raise TypeError(f"{name} must be an integer, got {value!r}")
    if value < 1:
        raise ValueError(f"{name} must be at least 1, got {value}")


def positive(name: str, value: object) -> None:
    """Require a finite number above 0, or a traced scalar."""
    _scalar(name, value, "a finite number above 0", lambda number: number > 0)


def non_negative(name: str, value: object) -> None:
    """Require a finite number of at least 0, or a traced scalar."""
    _scalar(name, value, "a finite number of at least 0", lambda number: number >= 0)


def finite(name: str, value: object) -> None:
    """Require a finite number, or a traced scalar."""
    _scalar(name, value, "a finite number", lambda number: True)


def _scalar(name, value, accepted, holds) -> None:
    if np.ndim(value) != 0:
        raise ValueError(f"{name} must be a scalar, got shape {np.shape(value)}")
    if _is_traced(value):
        return
    if isinstance(value, str | bytes) or np.iscomplexobj(value):
        raise TypeError(f"{name} must be a real number, got {value!r}")
    number = float(value)
    if not (math.isfinite(number) and holds(number)):
        raise ValueError(f"{name} must be {accepted}, got {value}")


def choice(name: str, value: object, choices: Sequence[str]) -> None:
    """Require one of the listed names."""
    if value not in choices:
        raise ValueError(f"{name} must be one of {', '.join(map(repr, choices))}, got {value!r}")


def flag(name: str, value: object) -> None:
    """Require a Python bool (it is static under jit)."""
    if not isinstance(value, bool | np.bool_):
        raise TypeError(f"{name} must be True or False, got {value!r}")
