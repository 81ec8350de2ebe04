"""What callers give, as arrays of JAX or NumPy that hold native numbers."""

import sys
from collections.abc import Iterator
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import dtypes

from diffbio._forked import refuse_after_fork
from diffbio._types import AnyArray

__all__ = ["as_array", "as_option", "is_traced", "within_range"]

_PLAIN = (bool, int, float, str)


def is_traced(value: object) -> bool:
    """Whether the numbers are unknown while the program is made, or lie in other processes."""
    if isinstance(value, jax.core.Tracer):
        return True
    return isinstance(value, jax.Array) and not value.is_fully_addressable


def as_array(name: str, value: object) -> AnyArray:
    """``value`` as an array of native numbers that is concrete wherever ``value`` is.

    ``jnp.asarray`` would trace NumPy's arrays under ``jit``, and wrap around their wide integers
    where 64-bit types are off. Long doubles become doubles.
    """
    refuse_after_fork()
    if isinstance(value, jax.Array):
        return value
    if hasattr(value, "__jax_array__"):
        return value.__jax_array__()
    if hasattr(value, "todense"):
        raise TypeError(f"{name} must be a dense array, got a sparse {type(value).__name__}")
    for part in _parts(value):
        _refuse_tensor(name, part)
        _refuse_missing(name, part)
    try:
        return _native(_from_table(value) if _is_table(value) else np.asarray(value))
    except jax.errors.TracerArrayConversionError:
        return jnp.asarray(value)
    except TypeError as error:
        raise TypeError(f"{name} must be an array: {error}") from error
    except ValueError as error:
        raise ValueError(f"{name} must be an array: {error}") from error


def as_option(name: str, leaf: Any) -> Any:
    """A leaf of an argument of a compiled program, in a form that JAX takes.

    A single known integer becomes Python's, so that it is part of the program. Whatever else
    holds numbers becomes an array.
    """
    if isinstance(leaf, str | type) or is_traced(leaf) or not hasattr(leaf, "__array__"):
        return leaf
    array = as_array(name, leaf)
    return array.item() if array.ndim == 0 and array.dtype.kind in "biu" else array


def within_range(name: str, array: AnyArray) -> AnyArray:
    """The array, whose integers must not wrap around where 64-bit types are off."""
    held = dtypes.canonicalize_dtype(array.dtype)
    if is_traced(array) or held == array.dtype or array.dtype.kind not in "iu" or not array.size:
        return array
    numbers, range_ = np.asarray(array), np.iinfo(held)
    if numbers.min() < range_.min or numbers.max() > range_.max:
        raise ValueError(
            f"{name} must lie in [{range_.min}, {range_.max}], the integers of {held} (wider ones "
            f"need jax_enable_x64), got integers from {numbers.min()} to {numbers.max()}"
        )
    return array


def _parts(value: object) -> Iterator[object]:
    """The value, or what its lists and tuples hold beside Python's numbers."""
    if not isinstance(value, list | tuple):
        yield value
        return
    for part in value:
        if not isinstance(part, _PLAIN):
            yield from _parts(part)


def _refuse_tensor(name: str, value: object) -> None:
    torch = sys.modules.get("torch")
    if torch is not None and isinstance(value, torch.Tensor):
        raise TypeError(
            f"{name} must be an array of JAX or NumPy, got a torch.Tensor; call the losses of "
            "diffbio.torch, which give tensors their gradients (detach() would lose them); "
            "where none are needed, give tensor.numpy(force=True)"
        )


def _refuse_missing(name: str, value: object) -> None:
    """Masked and missing entries: NumPy would read what lies under a mask, or NaN for NA."""
    masked = isinstance(value, np.ma.MaskedArray)
    n_missing = int(np.ma.count_masked(value)) if masked else _n_not_available(value)
    if n_missing:
        raise ValueError(
            f"{name} must have a number in every entry, got {n_missing} "
            f"{'masked' if masked else 'missing (NA)'} in {type(value).__name__}; "
            "fill them, or leave their cells out"
        )


def _n_not_available(value: Any) -> int:
    """How many entries are NA, in a column or table of pandas' nullable types."""
    pandas = sys.modules.get("pandas")
    if pandas is None:
        return 0
    if isinstance(value, pandas.DataFrame):
        return sum(_n_not_available(column) for _, column in value.items())
    nullable = getattr(getattr(value, "dtype", None), "na_value", None) is pandas.NA
    return int(np.sum(pandas.isna(value))) if nullable else 0


def _is_table(value: object) -> bool:
    pandas = sys.modules.get("pandas")
    return pandas is not None and isinstance(value, pandas.DataFrame)


def _from_table(table: Any) -> np.ndarray:
    """A table of pandas; columns of different types have a common one, if all are numbers."""
    array = np.asarray(table)
    if array.dtype == object and array.size:
        return np.stack([np.asarray(column) for _, column in table.items()], axis=1)
    return array


def _native(array: np.ndarray) -> np.ndarray:
    """The numbers in a type that JAX has."""
    if array.dtype.type is np.longdouble:
        return array.astype(np.float64)
    return array if array.dtype.isnative else array.astype(array.dtype.newbyteorder("="))
