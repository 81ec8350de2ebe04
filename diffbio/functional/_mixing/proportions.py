"""The proportions of the batches that batch mixing aims at."""

import jax.numpy as jnp
import numpy as np
from jax import lax
from jaxtyping import Array, Bool, Float, Int

from diffbio import _checks
from diffbio._shards import AxisName, sum_of_all
from diffbio._types import AnyArray

__all__ = [
    "Proportions",
    "check_expected_batches",
    "checked_proportions",
    "log_expected",
    "observed_proportions",
]

PROPORTIONS = ("uniform", "observed")

# A name, or one number per batch.
Proportions = str | AnyArray | tuple | list


def checked_proportions(proportions: Proportions, n_batches: int) -> str | AnyArray:
    """A name, or one number per batch; concrete numbers are at least 0 and sum to 1."""
    if isinstance(proportions, str):
        _checks.choice("proportions", proportions, PROPORTIONS)
        return proportions
    array = _checks.as_array("proportions", proportions)
    if not np.issubdtype(array.dtype, np.floating):
        raise TypeError(
            f"proportions must be one of {', '.join(map(repr, PROPORTIONS))} or one floating "
            f"number per batch, got {proportions!r}"
        )
    if array.shape != (n_batches,):
        raise ValueError(
            f"proportions must have shape (n_batches,) = ({n_batches},), got {array.shape}"
        )
    if not _checks.is_traced(array):
        numbers = np.asarray(array, np.float64)
        if not (np.all(numbers >= 0) and abs(numbers.sum() - 1) <= 1e-6):
            raise ValueError(
                f"proportions must be at least 0 and sum to 1, got {numbers} "
                f"with the sum {numbers.sum()}"
            )
    return array


def check_expected_batches(
    batch_labels: AnyArray, proportions: str | AnyArray, where: AnyArray | None
) -> None:
    """Raise for a counted cell of a batch of proportion 0, where all arrays are concrete."""
    if isinstance(proportions, str) or any(
        map(_checks.is_traced, (batch_labels, proportions, where))
    ):
        return
    labels = np.asarray(batch_labels)
    counted = labels if where is None else labels[np.asarray(where)]
    unexpected = np.intersect1d(np.flatnonzero(np.asarray(proportions) == 0), counted)
    if len(unexpected):
        raise ValueError(
            "proportions must be above 0 for every batch that has cells, "
            f"got 0 for batch {unexpected[0]}"
        )


def observed_proportions(
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


def log_expected(
    proportions: Float[Array, " n_batches"], batches: Int[Array, " n_cells"]
) -> Float[Array, " n_cells"]:
    """``ln(B q_b)`` of each cell's batch b, a constant; 0 for an unknown batch."""
    log_ratios = jnp.log(len(proportions) * lax.stop_gradient(proportions))
    return jnp.where(batches < 0, 0, log_ratios[batches])
