"""What a call of a loss would return, or raise, on one device."""

from collections.abc import Callable, Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import dtypes

from diffbio import _checks
from diffbio._types import AnyArray

__all__ = ["result_on_one_device"]


def result_on_one_device(
    loss: Callable[..., Any], given: Mapping[str, Any], per_cell: frozenset[str]
) -> Any:
    """The shapes of the result on one device, where all errors of the loss are raised.

    Floating arrays per cell are abstract, since no check reads their numbers.
    """

    def shown(leaf: Any, name: str, per_cell: bool) -> Any:
        if not isinstance(leaf, AnyArray):
            return leaf
        leaf = _checks.as_array(name, leaf)
        abstract = per_cell and leaf.ndim > 0 and jnp.issubdtype(leaf.dtype, jnp.floating)
        if abstract or _checks.is_traced(leaf):
            return jax.ShapeDtypeStruct(leaf.shape, dtypes.canonicalize_dtype(leaf.dtype))
        return np.asarray(leaf)

    call = (
        jax.tree.map(lambda leaf: shown(leaf, "loss", False), loss),
        {
            name: jax.tree.map(
                lambda leaf, name=name, own=name in per_cell: shown(leaf, name, own), value
            )
            for name, value in given.items()
        },
    )

    def on_one_device(arrays: list[jax.Array]) -> Any:
        left = iter(arrays)
        called, arguments = jax.tree.map(lambda a: next(left) if _is_abstract(a) else a, call)
        return called(**arguments)

    return jax.eval_shape(on_one_device, list(filter(_is_abstract, jax.tree.leaves(call))))


def _is_abstract(leaf: Any) -> bool:
    return isinstance(leaf, jax.ShapeDtypeStruct)
