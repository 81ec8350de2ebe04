"""Cells in shards over an axis of a mesh: sums over all cells, and a ring of visits.

Inside of ``jax.shard_map``, an array of one row per cell holds the rows of one device, its
shard. The functions take the name of the mesh's axis, or None for cells in one shard. Sums are
then left as they are, so that one code serves one device and many.
"""

from collections.abc import Callable
from typing import TypeVar

import jax
import jax.numpy as jnp
from jax import lax
from jax.sharding import AxisType, Mesh
from jaxtyping import Array, Bool, Int, Shaped

from diffbio._blocks import varying_alike

__all__ = [
    "AxisName",
    "around_ring",
    "first_cell",
    "first_counted",
    "largest_of_all",
    "n_cells_of_all",
    "n_shards",
    "part_size",
    "sum_of_all",
    "values_at",
    "with_automatic_axes",
]

AxisName = str | None
Visiting = TypeVar("Visiting")
Carry = TypeVar("Carry")
Tree = TypeVar("Tree")


def with_automatic_axes(mesh: Mesh) -> Mesh:
    """The mesh with automatic axes, unless the caller works under ``jax.set_mesh``.

    Otherwise JAX does not combine an array that is split over explicit axes with one on a
    single device, such as the cotangent that ``jax.grad`` starts from.
    """
    if not jax.sharding.get_abstract_mesh().empty:
        return mesh
    return Mesh(mesh.devices, mesh.axis_names, axis_types=(AxisType.Auto,) * mesh.devices.ndim)


def n_shards(axis_name: AxisName) -> int:
    """The number of shards, which is known while the program is made."""
    return 1 if axis_name is None else lax.axis_size(axis_name)


def n_cells_of_all(n_cells: int, axis_name: AxisName) -> int:
    """The number of cells of all shards, where each has ``n_cells``."""
    return n_cells * n_shards(axis_name)


def first_cell(n_cells: int, axis_name: AxisName) -> Int[Array, ""] | int:
    """The index of the shard's first cell among the cells of all shards."""
    return 0 if axis_name is None else lax.axis_index(axis_name).astype(jnp.int32) * n_cells


def sum_of_all(array: Shaped[Array, "*shape"], axis_name: AxisName) -> Shaped[Array, "*shape"]:
    """The sum of the shards' arrays."""
    return array if axis_name is None else lax.psum(array, axis_name)


def largest_of_all(array: Shaped[Array, "*shape"], axis_name: AxisName) -> Shaped[Array, "*shape"]:
    """The largest of the shards' arrays, entry by entry; it has no derivative."""
    return array if axis_name is None else lax.pmax(array, axis_name)


def first_counted(
    rows: Shaped[Array, "n_cells dim"], where: Bool[Array, " n_cells"] | None, axis_name: AxisName
) -> Shaped[Array, " dim"]:
    """The row of the first counted cell of all shards; some row, or 0, if there is none."""
    first = rows[0] if where is None else rows[jnp.argmax(where)]
    if axis_name is None:
        return first
    shard = lax.axis_index(axis_name)
    candidate = shard if where is None else jnp.where(jnp.any(where), shard, n_shards(axis_name))
    chosen = shard == lax.pmin(candidate, axis_name)
    return lax.psum(jnp.where(chosen, first, 0), axis_name)


def part_size(n_cells: int, n_parts: int, smallest: int) -> int:
    """Rows in each of so many parts of a shard, or of fewer parts if they were too small."""
    return min(n_cells, max(smallest, -(-n_cells // n_parts)))


def around_ring(
    step: Callable[[Int[Array, ""], Visiting, Carry], tuple[Visiting, Carry]],
    visiting: Visiting,
    carry: Carry,
    n_cells: int,
    axis_name: AxisName,
) -> tuple[Visiting, Carry]:
    """Fold ``step(first_cell, visiting, carry)`` over what every shard sends round, its own first.

    The shards form a ring, and each sends the visiting arrays on to the next. After as many hops
    as there are shards, the arrays are back at their own shard, as the steps changed them. The
    hops are rounds of one loop, so that the program does not grow with the number of shards.

    Args:
        step: gets the index of the first cell of the shard that the visitors come from, and
            returns visitors and carry of the same shapes.
        visiting: the shard's arrays that go round.
        carry: what stays.
        n_cells: number of cells of each shard.
        axis_name: name of the axis of the mesh, along which there are several shards.
    """
    shards = n_shards(axis_name)
    own = lax.axis_index(axis_name).astype(jnp.int32)
    to_next = [(shard, (shard + 1) % shards) for shard in range(shards)]

    def hop(count: Int[Array, ""], state: tuple[Visiting, Carry]) -> tuple[Visiting, Carry]:
        visiting, carry = step((own - count) % shards * n_cells, *state)
        return jax.tree.map(lambda a: lax.ppermute(a, axis_name, to_next), visiting), carry

    start = varying_alike((own, visiting, carry))[1:]
    return lax.fori_loop(jnp.int32(0), jnp.int32(shards), hop, start)


def values_at(per_cell: Tree, cells: Int[Array, "n_cells k"], axis_name: AxisName) -> Tree:
    """``array[cells]`` for arrays of a number per cell and cells of any shard.

    A cell that is in no shard has the number 0, or False, if there are several shards.
    """
    if n_shards(axis_name) == 1:
        return jax.tree.map(lambda array: array[cells], per_cell)
    n_cells = len(cells)

    def step(first: Int[Array, ""], visiting: Tree, found: Tree) -> tuple[Tree, Tree]:
        here = (cells >= first) & (cells < first + n_cells)
        at = jnp.where(here, cells - first, 0)
        return visiting, jax.tree.map(
            lambda array, before: jnp.where(here, array[at], before), visiting, found
        )

    empty = jax.tree.map(lambda array: jnp.zeros(cells.shape, array.dtype), per_cell)
    return around_ring(step, per_cell, empty, n_cells, axis_name)[1]
