"""Arguments of losses on their way to the devices of a mesh."""

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import PartitionSpec

from diffbio import _checks
from diffbio._arrays import as_option, within_range
from diffbio._types import AnyArray

__all__ = ["is_split", "n_cells_of", "padded", "specs_of", "with_arrays"]


def specs_of(
    given: Sequence[Any], names: Sequence[str | None], split: frozenset[str], axis: str
) -> list[PartitionSpec]:
    """How each array is split over the axis: by cells, or not at all.

    A single number serves all cells where an argument may have one number for each.
    """
    return [
        PartitionSpec(axis) if name in split and np.ndim(array) > 0 else PartitionSpec()
        for array, name in zip(given, names, strict=True)
    ]


def is_split(spec: PartitionSpec) -> bool:
    """Whether an array is split, or all devices hold it."""
    return spec != PartitionSpec()


def n_cells_of(arguments: Mapping[str, Any], split: frozenset[str]) -> int:
    """The number of rows that all arrays per cell have."""
    leaves = jax.tree.leaves({name: a for name, a in arguments.items() if name in split})
    shapes = [leaf.shape for leaf in leaves if np.ndim(leaf) > 0]
    if len({shape[:1] for shape in shapes}) != 1:
        raise ValueError(f"arguments must agree in n_cells, got shapes {shapes}")
    return shapes[0][0]


def padded(given: Sequence[Any], specs: Sequence[PartitionSpec], missing: int) -> list[Any]:
    """The arrays, with so many rows of zeros added to those per cell."""

    def extended(array: Any, spec: PartitionSpec) -> Any:
        if not (missing and is_split(spec)):
            return array
        pad = np.pad if isinstance(array, np.ndarray) else jnp.pad
        return pad(array, [(0, missing)] + [(0, 0)] * (array.ndim - 1))

    return list(map(extended, given, specs))


def with_arrays(arguments: Mapping[str, Any], per_cell: frozenset[str]) -> dict[str, Any]:
    """The arguments, with arrays as the leaves of those per cell."""

    def checked(name: str, leaf: Any) -> Any:
        leaf = _checks.as_array(name, leaf) if name in per_cell else as_option(name, leaf)
        return within_range(name, leaf) if isinstance(leaf, AnyArray) else leaf

    def is_list(node: Any) -> bool:
        return type(node) in (list, tuple)

    # A list of numbers is an array, while a tuple with named fields holds arrays.
    return {
        name: jax.tree.map(
            partial(checked, name), value, is_leaf=is_list if name in per_cell else None
        )
        for name, value in arguments.items()
    }
