"""Calls of losses, taken apart into the arrays and what a compiled program is made for."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import PartitionSpec

from diffbio import _checks
from diffbio._arrays import as_option, within_range
from diffbio._types import AnyArray

__all__ = ["Call", "is_split", "padded", "taken_apart", "with_arrays"]


class Call(NamedTuple):
    """A call of a loss, taken apart.

    Attributes:
        arrays: the arrays and floats of the loss and of its arguments.
        parts: for every leaf, how its array is split, or the leaf itself if it is none.
        structure: of the loss and its arguments.
    """

    arrays: list[Any]
    parts: tuple[Any, ...]
    structure: Any

    @property
    def specs(self) -> list[PartitionSpec]:
        """How each array is split."""
        return [part for part in self.parts if isinstance(part, PartitionSpec)]

    @property
    def n_cells(self) -> int:
        """The number of rows that all arrays per cell have."""
        shapes = [
            a.shape for a, spec in zip(self.arrays, self.specs, strict=True) if is_split(spec)
        ]
        if len({shape[:1] for shape in shapes}) != 1:
            raise ValueError(f"arguments must agree in n_cells, got shapes {shapes}")
        return shapes[0][0]

    def result(self, arrays: Iterable[Any], **further: Any) -> Any:
        """What the loss returns in a call with these arrays."""
        left = iter(arrays)
        leaves = [next(left) if isinstance(part, PartitionSpec) else part for part in self.parts]
        loss, arguments = jax.tree.unflatten(self.structure, leaves)
        return loss(**arguments, **further)


def taken_apart(
    loss: Callable[..., Any], arguments: Mapping[str, Any], per_cell: frozenset[str], axis: str
) -> Call:
    """The call of a loss with these arguments, of which those per cell are split over the axis."""
    leaves, structure = jax.tree.flatten_with_path((loss, arguments))
    arrays, parts = [], []
    for (root, *path), leaf in leaves:
        if isinstance(leaf, float | np.floating | AnyArray):
            arrays.append(leaf)
            # A single number serves all cells where an argument may have one number for each.
            split = root.idx == 1 and path[0].key in per_cell and np.ndim(leaf) > 0
            leaf = PartitionSpec(axis) if split else PartitionSpec()
        parts.append(leaf)
    return Call(arrays, tuple(parts), structure)


def is_split(spec: PartitionSpec) -> bool:
    """Whether an array is split, or all devices hold it."""
    return spec != PartitionSpec()


def padded(call: Call, missing: int) -> Call:
    """The call with so many rows of zeros added to the arrays per cell."""

    def extended(array: Any, spec: PartitionSpec) -> Any:
        if not is_split(spec):
            return array
        pad = np.pad if isinstance(array, np.ndarray) else jnp.pad
        return pad(array, [(0, missing)] + [(0, 0)] * (array.ndim - 1))

    return call._replace(arrays=list(map(extended, call.arrays, call.specs)))


def with_arrays(name: str, value: Any, per_cell: bool) -> Any:
    """The argument, with arrays as its leaves if it is per cell."""
    read = _checks.as_array if per_cell else as_option

    def checked(leaf: Any) -> Any:
        leaf = read(name, leaf)
        return within_range(name, leaf) if isinstance(leaf, AnyArray) else leaf

    # A list of numbers is an array, while a tuple with named fields holds arrays.
    return jax.tree.map(
        checked, value, is_leaf=lambda node: per_cell and type(node) in (list, tuple)
    )
