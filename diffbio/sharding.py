"""Losses of cells that lie in shards on the devices of a mesh.

Inside of ``jax.shard_map`` with its default checks, every loss accepts ``axis_name``, the name
of a mesh's axis. The cells of all devices along it then count as if they lay on one.
:func:`sharded` makes the ``shard_map`` around a loss, which is then called as on one device.
"""

import functools
import inspect
import itertools
import typing
from collections.abc import Callable, Iterable, Mapping
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import dtypes
from jax.sharding import AxisType, Mesh, NamedSharding, PartitionSpec

from diffbio import _checks
from diffbio._types import AnyArray

__all__ = ["sharded"]


def sharded(loss: Callable[..., Any], mesh: Mesh, axis: str = "cells") -> Callable[..., Any]:
    """The loss, computed by all devices along an axis of a mesh, each for its own cells.

    With P devices along the axis, each holds ``n_cells / P`` cells. Result, gradients and
    errors are those of one device, to rounding. Means, centroids and entropies are sums over
    the devices. A loss over neighbours sends every shard's points round a ring in pieces: a
    device holds its own shard and a piece of another's, and keeps the nearest neighbours found
    so far. What a cell's gradient owes to the cells of other shards travels home the same way.

    Work and memory per device fall with P; no device holds an array with a row for every
    cell. A device sends ``n_cells * dim`` numbers in a search, as many in the forward pass over
    the edges and twice as many in the backward pass. All other losses exchange a few sums.

    Args:
        loss: a function of :mod:`diffbio.functional`, a module of :mod:`diffbio.losses`, or any
            function that accepts ``axis_name``. An argument whose annotation is a jaxtyping
            shape that begins with ``n_cells`` is split over the devices, all others are not.
        mesh: the devices, as ``jax.make_mesh`` arranges them. Devices along its other axes
            repeat the work.
        axis: the name of the axis of the mesh that the cells are split over.

    Returns:
        A function with the signature of the loss without ``axis_name``. Arrays may be NumPy's,
        lie on one device, or be split already. If P does not divide the number of cells,
        masked cells are added. The function works under ``jit`` and ``grad``. Integers,
        strings and booleans are part of the compiled program, other numbers are not.

    Raises:
        ValueError: the mesh has no such axis, or the loss has no argument that can be split.
        TypeError: the loss does not accept ``axis_name``.

    Example:
        >>> import jax, jax.numpy as jnp
        >>> from diffbio.functional import shannon_diversity
        >>> mesh = jax.make_mesh((jax.device_count(),), ("cells",))
        >>> diversity = sharded(shannon_diversity, mesh)
        >>> round(float(diversity(jnp.full((7, 4), 0.25))), 4)
        1.3863
    """
    if axis not in mesh.axis_names:
        axes = ", ".join(map(repr, mesh.axis_names))
        raise ValueError(f"axis must be an axis of the mesh, one of {axes}, got {axis!r}")
    signature = inspect.signature(loss, eval_str=True)
    if "axis_name" not in signature.parameters:
        raise TypeError(f"loss must accept axis_name, its arguments are {signature}")
    parameters = [p for p in signature.parameters.values() if p.name != "axis_name"]
    per_cell = frozenset(p.name for p in parameters if _is_per_cell(p.annotation))
    if not per_cell:
        raise ValueError(
            "loss must have an argument annotated with a jaxtyping shape that begins with "
            f"n_cells, its arguments are {signature}"
        )
    signature = signature.replace(parameters=parameters)

    def over_all_devices(*args: Any, **kwargs: Any) -> Any:
        given = signature.bind(*args, **kwargs).arguments
        arguments = {name: _with_arrays(name, v, name in per_cell) for name, v in given.items()}
        call = _taken_apart(loss, arguments, per_cell, axis)
        expected = _result_of_one_device(call)
        n_cells = _number_of_cells(call)
        if missing := -n_cells % mesh.shape[axis]:
            arguments["where"] = _mask_to_pad(arguments, n_cells, signature)
            call = _padded(_taken_apart(loss, arguments, per_cell, axis), missing)
        return _result_of_all_devices(call, expected, n_cells, _mixing(mesh), axis)

    functools.update_wrapper(over_all_devices, loss, updated=())
    over_all_devices.__signature__ = signature  # type: ignore[attr-defined]
    return over_all_devices


def _is_per_cell(annotation: Any) -> bool:
    """Whether an annotation, or one of the types it unites, is a shape of a row per cell."""
    united = typing.get_args(annotation) or (annotation,)
    return any(getattr(kind, "dim_str", "").split()[:1] == ["n_cells"] for kind in united)


def _with_arrays(name: str, value: Any, per_cell: bool) -> Any:
    """The argument, with arrays as its leaves if it is per cell."""
    if not per_cell:
        return jax.tree.map(_as_integer, value)
    # A list of numbers is an array, while a tuple with named fields holds arrays.
    return jax.tree.map(
        functools.partial(_checks.as_array, name),
        value,
        is_leaf=lambda node: type(node) in (list, tuple),
    )


def _as_integer(leaf: Any) -> Any:
    """A single known integer or boolean as Python's, so that it is part of the program."""
    if not isinstance(leaf, np.generic | AnyArray) or _checks.is_traced(leaf):
        return leaf
    return leaf.item() if leaf.ndim == 0 and leaf.dtype.kind in "biu" else leaf


class _Call(NamedTuple):
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

    def result(self, arrays: Iterable[Any], **further: Any) -> Any:
        """What the loss returns in a call with these arrays."""
        left = iter(arrays)
        leaves = [next(left) if isinstance(part, PartitionSpec) else part for part in self.parts]
        loss, arguments = jax.tree.unflatten(self.structure, leaves)
        return loss(**arguments, **further)


def _taken_apart(
    loss: Callable[..., Any], arguments: Mapping[str, Any], per_cell: frozenset[str], axis: str
) -> _Call:
    leaves, structure = jax.tree.flatten_with_path((loss, arguments))
    arrays, parts = [], []
    for (root, *path), leaf in leaves:
        if isinstance(leaf, float | np.floating | AnyArray):
            arrays.append(leaf)
            split = root.idx == 1 and path[0].key in per_cell
            leaf = PartitionSpec(axis) if split else PartitionSpec()
        parts.append(leaf)
    return _Call(arrays, tuple(parts), structure)


def _is_split(spec: PartitionSpec) -> bool:
    return spec != PartitionSpec()


def _result_of_one_device(call: _Call) -> Any:
    """The shapes of the result on one device, whose errors are raised here.

    Floating arrays per cell are abstract, since no check reads their numbers.
    """
    abstract = [
        _checks.is_traced(array) or (_is_split(spec) and jnp.issubdtype(array.dtype, jnp.floating))
        for array, spec in zip(call.arrays, call.specs, strict=True)
    ]
    shapes = [
        jax.ShapeDtypeStruct(array.shape, dtypes.canonicalize_dtype(array.dtype))
        for array in itertools.compress(call.arrays, abstract)
    ]
    known = [
        np.asarray(array) if isinstance(array, AnyArray) and not is_abstract else array
        for array, is_abstract in zip(call.arrays, abstract, strict=True)
    ]

    def on_one_device(arrays: list[jax.Array]) -> Any:
        left = iter(arrays)
        return call.result(
            next(left) if is_abstract else array
            for array, is_abstract in zip(known, abstract, strict=True)
        )

    return jax.eval_shape(on_one_device, shapes)


def _number_of_cells(call: _Call) -> int:
    shapes = [
        array.shape for array, spec in zip(call.arrays, call.specs, strict=True) if _is_split(spec)
    ]
    if len({shape[:1] for shape in shapes}) != 1:
        raise ValueError(f"arguments must agree in n_cells, got shapes {shapes}")
    return shapes[0][0]


def _mask_to_pad(
    arguments: Mapping[str, Any], n_cells: int, signature: inspect.Signature
) -> AnyArray:
    """The mask as given; padding it marks the added cells as not counted."""
    if "where" not in signature.parameters:
        raise ValueError(
            f"n_cells={n_cells} must be a multiple of the number of devices for a loss that "
            f"accepts no mask where, its arguments are {signature}"
        )
    where = arguments.get("where")
    return np.ones(n_cells, bool) if where is None else where


def _padded(call: _Call, missing: int) -> _Call:
    """The call with so many rows of zeros added to the arrays per cell."""

    def padded(array: Any, spec: PartitionSpec) -> Any:
        if not _is_split(spec):
            return array
        pad = np.pad if isinstance(array, np.ndarray) else jnp.pad
        return pad(array, [(0, missing)] + [(0, 0)] * (array.ndim - 1))

    return call._replace(arrays=list(map(padded, call.arrays, call.specs)))


def _mixing(mesh: Mesh) -> Mesh:
    """The mesh with automatic axes, unless the caller works under ``jax.set_mesh``.

    Otherwise an array that is split over explicit axes does not mix with one that is on one
    device, such as the cotangent that ``jax.grad`` starts from.
    """
    if not jax.sharding.get_abstract_mesh().empty:
        return mesh
    return Mesh(mesh.devices, mesh.axis_names, axis_types=(AxisType.Auto,) * mesh.devices.ndim)


def _result_of_all_devices(call: _Call, expected: Any, n_cells: int, mesh: Mesh, axis: str) -> Any:
    """The result, of which an array with a row per cell stays split."""
    leaves, structure = jax.tree.flatten(expected)
    out_specs = tuple(
        PartitionSpec(axis) if leaf.shape[:1] == (n_cells,) else PartitionSpec() for leaf in leaves
    )
    arrays = [
        _put(array, NamedSharding(mesh, spec))
        for array, spec in zip(call.arrays, call.specs, strict=True)
    ]
    results = _program(arrays, call.parts, call.structure, out_specs, mesh, axis)
    cut = [
        result[:n_cells] if _is_split(spec) else result
        for result, spec in zip(results, out_specs, strict=True)
    ]
    return jax.tree.unflatten(structure, cut)


def _put(array: Any, sharding: NamedSharding) -> Any:
    """The array on the mesh.

    If the array lies in one process and the mesh spans several, the derivative of
    ``device_put`` would send cotangents back to that process, which cannot be done. They stay
    on the mesh instead.
    """
    in_one_process = jax.typeof(array).sharding.mesh.empty
    if sharding.mesh.is_multi_process and in_one_process and isinstance(array, jax.core.Tracer):
        return jax.jit(lambda array: array, out_shardings=sharding)(array)
    return jax.device_put(array, sharding)


@functools.partial(jax.jit, static_argnums=(1, 2, 3, 4, 5))
def _program(
    arrays: list[jax.Array],
    parts: tuple[Any, ...],
    structure: Any,
    out_specs: tuple[PartitionSpec, ...],
    mesh: Mesh,
    axis: str,
) -> list[jax.Array]:
    """The leaves of the result for arrays that are split over the mesh."""
    call = _Call(arrays, parts, structure)

    def on_each_device(arrays: list[jax.Array]) -> list[jax.Array]:
        return jax.tree.leaves(call.result(arrays, axis_name=axis))

    return jax.shard_map(
        on_each_device, mesh=mesh, in_specs=(call.specs,), out_specs=list(out_specs)
    )(arrays)
