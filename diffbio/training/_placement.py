"""Where the arrays of a training lie: on one device, or on all devices of a mesh."""

from collections.abc import Mapping, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import dtypes
from jax.sharding import Mesh, NamedSharding, PartitionSpec
from jaxtyping import Array

from diffbio import _checks
from diffbio._arrays import within_range
from diffbio._shards import with_automatic_axes
from diffbio._types import AnyArray
from diffbio.training._minibatches import rows_of

__all__ = ["OnMesh", "OnOneDevice", "placement"]

_AXIS = "cells"


class OnOneDevice:
    """All cells lie on the device, and a step picks the rows of its minibatch.

    Attributes:
        cells: the arrays by name.
        n_devices: how many devices share a minibatch.
        result: the sharding of what a step returns; None leaves it to JAX.
    """

    n_devices = 1
    result = None

    def __init__(self, cells: Mapping[str, AnyArray]) -> None:
        self.cells: dict[str, AnyArray] = {
            name: jnp.asarray(array) for name, array in cells.items()
        }

    def model(self, leaves: Sequence[Array]) -> list[Array]:
        """The arrays of model and optimizer, where a step takes them from."""
        return list(leaves)

    def minibatch(self, rows: np.ndarray, where: np.ndarray) -> tuple[Any, Any, Any]:
        """The cells, the rows and the mask that a step takes."""
        return self.cells, rows, where


class OnMesh:
    """The cells stay on the host. Every minibatch is split over the devices of a mesh.

    Each device holds its share of a minibatch, and all of the model and its optimizer. If the
    share is no whole number, masked cells are added. Attributes as :class:`OnOneDevice`.
    """

    def __init__(self, cells: Mapping[str, AnyArray], mesh: Mesh) -> None:
        if _AXIS not in mesh.axis_names:
            axes = ", ".join(map(repr, mesh.axis_names))
            raise ValueError(f"mesh must have an axis {_AXIS!r}, its axes are {axes}")
        mesh = with_automatic_axes(mesh)
        self.cells: dict[str, AnyArray] = {
            name: np.asarray(array, dtypes.canonicalize_dtype(array.dtype))
            for name, array in cells.items()
        }
        self.n_devices = mesh.shape[_AXIS]
        self.result = NamedSharding(mesh, PartitionSpec())
        self._split = NamedSharding(mesh, PartitionSpec(_AXIS))

    def model(self, leaves: Sequence[Array]) -> list[Array]:
        """The arrays of model and optimizer on every device."""
        return jax.device_put(list(leaves), self.result)

    def minibatch(self, rows: np.ndarray, where: np.ndarray) -> tuple[Any, Any, Any]:
        """The minibatch's own cells, of which a step takes all, and the mask."""
        missing = -len(rows) % self.n_devices
        rows = np.resize(rows, len(rows) + missing)
        batch, where = rows_of(self.cells, rows), np.pad(where, (0, missing))
        placed = jax.tree.map(self._on_devices, (batch, where))
        return placed[0], None, placed[1]

    def _on_devices(self, array: np.ndarray) -> Array:
        return jax.make_array_from_callback(array.shape, self._split, array.__getitem__)


def placement(data: Mapping[str, Any], mesh: Mesh | None) -> OnOneDevice | OnMesh:
    """The data, checked and placed."""
    if not isinstance(data, Mapping):
        raise TypeError(f"data must map names to arrays, got {type(data).__name__}")
    if not data:
        raise ValueError("data must hold at least one array, got none")
    cells = {name: _cells(f"data[{name!r}]", value) for name, value in data.items()}
    _checks.same_axis("n_cells", {name: (array, 0) for name, array in cells.items()})
    return OnOneDevice(cells) if mesh is None else OnMesh(cells, mesh)


def _cells(name: str, value: object) -> AnyArray:
    """One array of the data; a minibatch is checked where its integers are narrow already."""
    return within_range(name, _checks.cells(name, value))
