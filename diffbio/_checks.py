"""Argument checks, whose errors name the argument, what was given and what is accepted.

The checks run on the host, before the computation is traced. Concrete values are checked
under ``jit`` too, whether they are JAX's or NumPy's. The value of a traced array or scalar
is unknown and is not checked, unless :mod:`diffbio._known` has it checked when it is known.
"""

import math
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from diffbio._arrays import as_array, is_traced
from diffbio._known import when_known
from diffbio._types import AnyArray, Scalar

__all__ = [
    "as_array",
    "as_int32",
    "batch_labels",
    "block_size",
    "cells",
    "choice",
    "columns",
    "finite",
    "flag",
    "floating",
    "is_traced",
    "is_zero",
    "mask",
    "neighbor_count",
    "neighbor_indices",
    "non_negative",
    "non_negative_integer",
    "positive",
    "positive_integer",
    "same_axis",
    "when_known",
]

_INT32_MAX = np.iinfo(np.int32).max


def floating(name: str, value: object, axes: Sequence[str]) -> Array:
    """Return ``value`` as a real floating array with one axis per name in ``axes``."""
    array = as_array(name, value)
    if not jnp.issubdtype(array.dtype, jnp.floating):
        raise TypeError(f"{name} must have a real floating dtype, got {_described(value, array)}")
    return jnp.asarray(_ranked(name, array, axes))


def _integers(name: str, value: object, axes: Sequence[str]) -> AnyArray:
    array = as_array(name, value)
    if not jnp.issubdtype(array.dtype, jnp.integer):
        raise TypeError(
            f"{name} must have an integer dtype, got {_described(value, array)}; "
            "number categories 0, 1, 2, ... first"
        )
    return _ranked(name, array, axes)


def _described(value: object, array: AnyArray) -> str:
    kind = "" if isinstance(value, AnyArray) else f" from {type(value).__name__}"
    return f"{array.dtype}{kind}"


def _ranked(name: str, array: AnyArray, axes: Sequence[str]) -> AnyArray:
    if array.ndim != len(axes):
        expected = ", ".join(axes)
        raise ValueError(f"{name} must have shape ({expected}), got shape {array.shape}")
    if 0 in array.shape:
        raise ValueError(f"{name} must not be empty along any axis, got shape {array.shape}")
    return array


def same_axis(axis: str, sizes: dict[str, tuple[AnyArray, int]]) -> None:
    """Require the given axis of every named array to have one common length."""
    lengths = {array.shape[index] for array, index in sizes.values()}
    if len(lengths) > 1:
        shapes = ", ".join(f"{name} {array.shape}" for name, (array, _) in sizes.items())
        raise ValueError(f"arguments must agree in {axis}, got shapes {shapes}")


def mask(where: object, n_cells: int) -> AnyArray | None:
    """Return ``where`` as a boolean ``(n_cells,)`` array, or None if there is none."""
    if where is None:
        return None
    array = as_array("where", where)
    if array.dtype != np.bool_:
        raise TypeError(f"where must have dtype bool, got {_described(where, array)}")
    if array.shape != (n_cells,):
        raise ValueError(f"where must have shape (n_cells,) = ({n_cells},), got {array.shape}")
    return array


def cells(name: str, value: object) -> AnyArray:
    """Return ``value`` as an array of numbers whose first axis is the cells."""
    array = as_array(name, value)
    if not (array.dtype == np.bool_ or jnp.issubdtype(array.dtype, np.number) or _is_key(array)):
        raise TypeError(f"{name} must hold numbers, got {_described(value, array)}")
    if not array.ndim or not array.shape[0]:
        raise ValueError(f"{name} must have shape (n_cells, ...), got shape {array.shape}")
    return array


def _is_key(array: AnyArray) -> bool:
    return jnp.issubdtype(array.dtype, jax.dtypes.prng_key)


def columns(name: str, array: Array, axis: str, length: int) -> None:
    """Require the last axis to have the length that a model was made for."""
    if array.shape[-1] != length:
        raise ValueError(f"{name} must have {axis}={length} columns, got shape {array.shape}")


def batch_labels(
    value: object, n_batches: int, where: AnyArray | None, name: str = "batch_labels"
) -> AnyArray:
    """Return integer batch labels, which must lie in ``[0, n_batches)``."""
    labels = _integers(name, value, ("n_cells",))
    when_known(partial(_check_labels, name, n_batches), labels, where)
    return labels


def _check_labels(name: str, n_batches: int, labels: AnyArray, where: AnyArray | None) -> None:
    counted = np.asarray(labels)
    if where is not None and where.shape == counted.shape:
        counted = counted[np.asarray(where)]
    if counted.size and (counted.min() < 0 or counted.max() >= n_batches):
        raise ValueError(
            f"{name} must lie in [0, {n_batches}) (n_batches={n_batches}), "
            f"got labels from {counted.min()} to {counted.max()}"
        )


def neighbor_count(n_neighbors: object, n_cells: int) -> int:
    """Return ``n_neighbors``, which must lie in ``[1, n_cells)``."""
    count = positive_integer("n_neighbors", n_neighbors)
    if count >= n_cells:
        raise ValueError(
            f"n_neighbors={count} needs at least {count + 1} cells, got {n_cells}: "
            "take fewer neighbours or more cells, in a training a larger batch_size"
        )
    return count


def neighbor_indices(value: object, x: Array, n_cells: int) -> AnyArray:
    """Return integer lists of neighbours for the cells of x, which lie below ``n_cells``."""
    indices = _integers("neighbor_indices", value, ("n_cells", "n_neighbors"))
    same_axis("n_cells", {"neighbor_indices": (indices, 0), "the cells": (x, 0)})
    when_known(partial(_check_indices, n_cells), indices)
    return indices


def _check_indices(n_cells: int, indices: AnyArray) -> None:
    largest = np.asarray(indices).max()
    if largest >= n_cells:
        raise ValueError(f"neighbor_indices must be below n_cells={n_cells}, got {largest}")
    if largest <= 1 and n_cells > 2 and indices.shape[1] == n_cells:
        raise ValueError(
            "neighbor_indices must list the neighbours of each cell, "
            f"got what looks like an adjacency matrix of 0 and 1, shape {indices.shape}"
        )


def as_int32(array: AnyArray) -> AnyArray:
    """The integers in int32; one that does not fit becomes -1 instead of wrapping around."""
    if array.dtype == np.int32:
        return array
    if not is_traced(array):
        array = np.asarray(array)
    narrowed = array.astype(np.int32)
    if np.iinfo(array.dtype).max <= _INT32_MAX:
        return narrowed
    xp = np if isinstance(array, np.ndarray) else jnp
    return xp.where((array >= 0) & (array <= _INT32_MAX), narrowed, np.int32(-1))


def positive_integer(name: str, value: object) -> int:
    """Return a concrete integer of at least 1; arrays that hold a single one are read."""
    return _integer_of_at_least(1, name, value)


def non_negative_integer(name: str, value: object) -> int:
    """Return a concrete integer of at least 0; arrays that hold a single one are read."""
    return _integer_of_at_least(0, name, value)


def _integer_of_at_least(least: int, name: str, value: object) -> int:
    array = as_array(name, value)
    if is_traced(array):
        raise TypeError(f"{name} must be an integer known before tracing, got a traced {value}")
    if array.ndim or array.dtype.kind not in "iu":
        raise TypeError(f"{name} must be an integer, got {value!r}")
    if np.asarray(array) < least:
        raise ValueError(f"{name} must be at least {least}, got {value}")
    return int(array)


def block_size(name: str, value: object) -> int | None:
    """Return the number of rows of a block, or None to have it chosen."""
    return None if value is None else positive_integer(name, value)


def positive(name: str, value: object) -> Scalar:
    """Return a finite number above 0, or a traced scalar."""
    return _scalar(name, value, "a finite number above 0", lambda number: number > 0)


def non_negative(name: str, value: object) -> Scalar:
    """Return a finite number of at least 0, or a traced scalar."""
    return _scalar(name, value, "a finite number of at least 0", lambda number: number >= 0)


def finite(name: str, value: object) -> Scalar:
    """Return a finite number, or a traced scalar."""
    return _scalar(name, value, "a finite number", lambda number: True)


def _scalar(name: str, value: Any, accepted: str, holds: Callable[[float], bool]) -> Scalar:
    """The scalar as Python's number or JAX's array; JAX would wrap NumPy's wide integers."""
    array = as_array(name, value)
    if array.ndim != 0:
        raise ValueError(f"{name} must be a scalar, got shape {array.shape}")
    if array.dtype.kind in "cSTU":
        given = array.dtype if is_traced(array) else repr(value)
        raise TypeError(f"{name} must be a real number, got {given}")
    when_known(partial(_check_number, name, accepted, holds), array)
    return array if isinstance(array, jax.Array) else float(array.item())


def _check_number(
    name: str, accepted: str, holds: Callable[[float], bool], value: AnyArray | float
) -> None:
    given = np.asarray(value).item()
    try:
        number = float(given)
    except (TypeError, ValueError, OverflowError):
        raise TypeError(f"{name} must be a real number, got {given!r}") from None
    if not (math.isfinite(number) and holds(number)):
        raise ValueError(f"{name} must be {accepted}, got {value}")


def is_zero(value: Any) -> bool:
    """Whether a checked scalar is known to be 0; False for a traced one, which is unknown."""
    return not is_traced(value) and float(value) == 0


def choice(name: str, value: object, choices: Sequence[str]) -> str:
    """Return one of the listed names."""
    if not isinstance(value, str) or value not in choices:
        raise ValueError(f"{name} must be one of {', '.join(map(repr, choices))}, got {value!r}")
    return str(value)


def flag(name: str, value: object) -> bool:
    """Return a bool, which is static under jit."""
    if not isinstance(value, bool | np.bool_):
        raise TypeError(f"{name} must be True or False, got {value!r}")
    return bool(value)
