"""The proportions of the batches that batch mixing aims at."""

import jax.numpy as jnp
import numpy as np
from jax import lax
from jaxtyping import Array, Bool, Float, Int

from diffbio import _checks
from diffbio._shards import AxisName, sum_of_all
from diffbio._types import AnyArray
from diffbio.functional._mixing.settings import PROPORTIONS, BatchMixingSettings, Proportions

__all__ = ["check_expected_batches", "checked_proportions", "known_batches", "log_expected"]


def checked_proportions(proportions: Proportions, settings: BatchMixingSettings) -> AnyArray | None:
    """One number per batch, or None for a name; known numbers are at least 0 and sum to 1."""
    if isinstance(proportions, str):
        return None
    array = _checks.as_array("proportions", proportions)
    if not np.issubdtype(array.dtype, np.floating):
        raise TypeError(
            f"proportions must be one of {', '.join(map(repr, PROPORTIONS))} or one floating "
            f"number per batch, got {proportions!r}"
        )
    if array.shape != (settings.n_batches,):
        raise ValueError(
            f"proportions must have shape (n_batches,) = ({settings.n_batches},), got {array.shape}"
        )
    _checks.when_known(_check_shares, array)
    return array


def _check_shares(proportions: AnyArray) -> None:
    numbers = np.asarray(proportions, np.float64)
    if not (np.all(numbers >= 0) and abs(numbers.sum() - 1) <= 1e-6):
        raise ValueError(
            f"proportions must be at least 0 and sum to 1, got {numbers} "
            f"with the sum {numbers.sum()}"
        )


def check_expected_batches(
    batch_labels: AnyArray, numbers: AnyArray | None, where: AnyArray | None
) -> None:
    """Raise for a counted cell of a batch of proportion 0, where all arrays are known."""
    if numbers is not None:
        _checks.when_known(_check_expected, batch_labels, numbers, where)


def _check_expected(labels: AnyArray, numbers: AnyArray, where: AnyArray | None) -> None:
    counted = np.asarray(labels)
    if where is not None:
        counted = counted[np.asarray(where)]
    unexpected = np.intersect1d(np.flatnonzero(np.asarray(numbers) == 0), counted)
    if len(unexpected):
        raise ValueError(
            "proportions must be above 0 for every batch that has cells, "
            f"got 0 for batch {unexpected[0]}"
        )


def known_batches(batch_labels: Int[Array, " n_cells"], n_batches: int) -> Int[Array, " n_cells"]:
    """The labels, -1 for unknown batches, in one byte if they fit: each edge gathers one."""
    known = (batch_labels >= 0) & (batch_labels < n_batches)
    dtype = jnp.int8 if n_batches <= 128 else jnp.int32
    return jnp.where(known, batch_labels, -1).astype(dtype)


def log_expected(
    numbers: Float[Array, " n_batches"] | None,
    batches: Int[Array, " n_cells"],
    where: Bool[Array, " n_cells"] | None,
    settings: BatchMixingSettings,
    dtype: jnp.dtype,
    axis_name: AxisName,
) -> tuple[Float[Array, " n_batches"], ...]:
    """``ln(B q_b)`` of each batch b, a constant.

    Nothing for uniform proportions, whose logarithms are all 0.
    """
    if settings.proportions == "uniform":
        return ()
    if settings.proportions == "observed":
        numbers = _observed(batches, where, settings.n_batches, dtype, axis_name)
    assert numbers is not None
    return (jnp.log(len(numbers) * lax.stop_gradient(numbers.astype(dtype))),)


def _observed(
    batches: Int[Array, " n_cells"],
    where: Bool[Array, " n_cells"] | None,
    n_batches: int,
    dtype: jnp.dtype,
    axis_name: AxisName,
) -> Float[Array, " n_batches"]:
    """The share of each batch among the counted cells of all shards."""
    counted = jnp.ones(len(batches), bool) if where is None else where
    members = (batches[None] == jnp.arange(n_batches, dtype=batches.dtype)[:, None]) & counted[None]
    sizes = sum_of_all(jnp.sum(members, axis=1), axis_name).astype(dtype)
    return sizes / jnp.maximum(sum_of_all(jnp.sum(counted), axis_name), 1).astype(dtype)
