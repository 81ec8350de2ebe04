"""A loss as a program of all devices of a mesh."""

import functools
import inspect
from collections.abc import Callable, Mapping
from typing import Any

import jax
import numpy as np
from jax.sharding import Mesh, NamedSharding, PartitionSpec

from diffbio._calls import (
    Program,
    arguments_of,
    axes_of,
    parameters_of,
    split,
    with_partials,
)
from diffbio._shards import with_automatic_axes
from diffbio._types import AnyArray
from diffbio.sharding._calls import is_split, n_cells_of, padded, specs_of, with_arrays
from diffbio.sharding._one_device import result_on_one_device

__all__ = ["sharded"]


def sharded(loss: Callable[..., Any], mesh: Mesh, axis: str = "cells") -> Callable[..., Any]:
    """The loss, computed by all devices along an axis of a mesh, each for its own cells.

    With P devices along the axis, each holds ``n_cells / P`` cells. Result, gradients and
    errors are those of one device, to rounding. Means, centroids and entropies are sums over
    the devices. A loss over neighbours sends every shard's points round a ring in pieces: a
    device holds its own shard and a piece of another's, and keeps the nearest neighbours found
    so far. What a cell's gradient owes to the cells of other shards returns the same way.

    Work and memory per device fall with P; no device computes with a row for every cell. A device
    sends ``n_cells * dim`` numbers in a search, twice as many in the forward pass over the edges to
    the neighbours and four times as many in the backward pass. All other losses exchange a few
    sums.

    Args:
        loss: a function of :mod:`diffbio.functional`, a module of :mod:`diffbio.losses`, or any
            function that accepts ``axis_name``. An argument whose annotation is a jaxtyping
            shape that begins with ``n_cells`` is split over the devices, all others are not.
        mesh: the devices, as ``jax.make_mesh`` arranges them. Devices along its other axes
            repeat the work.
        axis: the name of the axis of the mesh that the cells are split over.

    Returns:
        A function with the signature of the loss without ``axis_name``. Arrays may be NumPy's,
        lie on one device, or be split already. A result per cell stays split. If P does not
        divide the number of cells, masked cells are added, and a result per cell lies on all
        devices. The function works under ``jit`` and ``grad``. Integers,
        strings, booleans and functions are part of the compiled program, with whatever a function
        closes over; other numbers are not, nor are those of a module or a partial function.

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
    parameters = parameters_of(loss)
    per_cell = _per_cell(parameters)
    # In the fields of records too, such as a perplexity of every cell.
    split_in_part = _per_cell(parameters, in_records=True)
    if not per_cell:
        raise ValueError(
            "loss must have an argument annotated with a jaxtyping shape that begins with "
            f"n_cells, its arguments are {signature}"
        )
    signature = signature.replace(parameters=list(parameters.values()))
    name = getattr(loss, "__name__", type(loss).__name__)

    def over_all_devices(*args: Any, **kwargs: Any) -> Any:
        given = with_partials(arguments_of(name, signature, args, kwargs))
        expected = result_on_one_device(loss, given, per_cell)
        arguments = with_arrays(given, per_cell)
        n_cells = n_cells_of(arguments, split_in_part)
        if missing := -n_cells % mesh.shape[axis]:
            arguments["where"] = _mask_to_pad(arguments, n_cells, per_cell)
        program, arrays, names = split(loss, arguments)
        specs = specs_of(arrays, names, split_in_part, axis)
        arrays = padded(arrays, specs, missing)
        on_mesh = with_automatic_axes(mesh)
        return _on_all_devices(program, arrays, specs, expected, n_cells, on_mesh, axis)

    functools.update_wrapper(over_all_devices, loss, updated=())
    over_all_devices.__signature__ = signature  # type: ignore[attr-defined]
    return over_all_devices


def _per_cell(
    parameters: Mapping[str, inspect.Parameter], *, in_records: bool = False
) -> frozenset[str]:
    """The arguments that accept an array with a row per cell."""
    return frozenset(
        name
        for name, parameter in parameters.items()
        for axes in axes_of(parameter.annotation, in_records=in_records)
        if axes[:1] == ["n_cells"]
    )


def _mask_to_pad(arguments: Mapping[str, Any], n_cells: int, per_cell: frozenset[str]) -> AnyArray:
    """The mask as given; padding it marks the added cells as not counted."""
    if "where" not in per_cell:
        raise ValueError(
            f"n_cells={n_cells} must be a multiple of the number of devices for a loss that "
            f"accepts no mask where; its arguments per cell are {', '.join(sorted(per_cell))}"
        )
    where = arguments.get("where")
    return np.ones(n_cells, bool) if where is None else where


def _on_all_devices(
    program: Program,
    arrays: list[Any],
    specs: list[PartitionSpec],
    expected: Any,
    n_cells: int,
    mesh: Mesh,
    axis: str,
) -> Any:
    """The result, of which an array with a row per cell stays split if it can."""
    leaves, structure = jax.tree.flatten(expected)
    out_specs = tuple(
        PartitionSpec(axis) if leaf.shape[:1] == (n_cells,) else PartitionSpec() for leaf in leaves
    )
    arrays = [
        _put(array, NamedSharding(mesh, spec)) for array, spec in zip(arrays, specs, strict=True)
    ]
    results = _computed(arrays, program, tuple(specs), out_specs, mesh, axis)
    everywhere = NamedSharding(mesh, PartitionSpec())
    for place, spec in enumerate(out_specs):
        if is_split(spec) and len(results[place]) > n_cells:
            # JAX splits no array unevenly.
            results[place] = jax.device_put(results[place], everywhere)[:n_cells]
    return jax.tree.unflatten(structure, results)


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
def _computed(
    arrays: list[jax.Array],
    program: Program,
    specs: tuple[PartitionSpec, ...],
    out_specs: tuple[PartitionSpec, ...],
    mesh: Mesh,
    axis: str,
) -> list[jax.Array]:
    """The leaves of the result for arrays that are split over the mesh."""

    def on_each_device(arrays: list[jax.Array]) -> list[jax.Array]:
        return jax.tree.leaves(program(arrays, axis_name=axis))

    return jax.shard_map(
        on_each_device, mesh=mesh, in_specs=(list(specs),), out_specs=list(out_specs)
    )(arrays)
