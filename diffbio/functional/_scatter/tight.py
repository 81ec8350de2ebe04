"""Centroids, scatter and gradients of tight clusters, from the differences themselves.

A product of coordinates loses the digits in which the cells of a tight cluster differ, and so do a
rounded centroid and coordinates that were shifted to another origin. Here every difference
``x_i - c_k`` is formed before anything is multiplied. A centroid comes in two parts that add up to
it: an anchor, which is a cell of the cluster, and a shift as small as the cluster. This takes
several times longer than products, in blocks of cells whose differences stay in a CPU's cache.
"""

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple, TypeVar

import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Bool, Float, Int, Shaped

from diffbio._blocks import read_rows, rows_for, write_rows
from diffbio._numerics import zeroed
from diffbio._shards import AxisName, largest_of_all, n_shards, sum_of_all

__all__ = [
    "Cells",
    "heaviest_cells",
    "pull_on_centroids",
    "rewritten_if_tight",
    "scatter_by_differences",
]

PerCluster = Float[Array, "n_clusters dim"]
# The parts that add up to the centroids, the largest first.
Centroids = tuple[PerCluster, ...]
Gradients = tuple[Shaped[Array, "n_cells dim"], Float[Array, "n_cells n_clusters"]]
Carry = TypeVar("Carry")
Step = Callable[[Int[Array, ""], Bool[Array, " block"], Carry], Carry]
# On a CPU, XLA widens the 16-bit floats that a loop holds, which copies them. It leaves integers.
_BITS = {jnp.dtype(jnp.bfloat16): jnp.dtype("uint16"), jnp.dtype(jnp.float16): jnp.dtype("int16")}
_FLOATS = {bits: floats for floats, bits in _BITS.items()}


class Cells(NamedTuple):
    """What was given, of which a block at a time is made ready; a copy would take memory.

    Attributes:
        x: coordinates, or their bits. Their blocks take the dtype of the assignments.
        a: assignments.
        where: which cells count; the others' coordinates and assignments become 0.
        alive: which clusters have weight; the assignments to the others become 0.
    """

    x: Shaped[Array, "n_cells dim"]
    a: Float[Array, "n_cells n_clusters"]
    where: Bool[Array, " n_cells"] | None = None
    alive: Bool[Array, " n_clusters"] | None = None

    def counted(self) -> "Cells":
        """The same cells, prepared."""
        x = zeroed(self.x.astype(self.a.dtype), self.where)
        return self._replace(x=x, a=self.only_counted(self.a))

    def block(self, start: Int[Array, ""], size: int) -> "Cells":
        """A block of the cells, prepared."""
        x, a = _as_floats(read_rows(self.x, start, size)), read_rows(self.a, start, size)
        where = None if self.where is None else read_rows(self.where, start, size)
        return Cells(x, a, where, self.alive).counted()

    def only_counted(self, of_assignments: Array) -> Array:
        """A number per assignment, 0 for cells and clusters that do not count."""
        numbers = zeroed(of_assignments, self.where)
        return numbers if self.alive is None else jnp.where(self.alive[None], numbers, 0)


def heaviest_cells(cells: Cells, axis_name: AxisName) -> PerCluster:
    """Of each cluster the cell of largest weight, the first one of all shards, as a constant."""
    weights = cells.counted().a
    at = jnp.argmax(weights, axis=0)
    where = None if cells.where is None else cells.where[at]
    rows = zeroed(lax.stop_gradient(cells.x)[at].astype(weights.dtype), where)
    if axis_name is None:
        return rows
    shard, weight = lax.axis_index(axis_name), lax.stop_gradient(jnp.max(weights, axis=0))
    heaviest = weight == largest_of_all(weight, axis_name)
    first = lax.pmin(jnp.where(heaviest, shard, n_shards(axis_name)), axis_name)
    return sum_of_all(zeroed(rows, shard == first), axis_name)


def pull_on_centroids(cells: Cells, centroids: Centroids) -> PerCluster:
    """``sum_i a_ik (x_i - c_k)`` over the cells of this shard."""

    def step(start: Int[Array, ""], fresh: Bool[Array, " block"], pulls: Array) -> Array:
        block, d = _differences(cells, centroids, start)
        return pulls + jnp.sum(zeroed(block.a, fresh)[..., None] * d, axis=0)

    return _over_blocks(cells, step, jnp.zeros_like(cells.a, shape=centroids[0].shape))


def scatter_by_differences(
    cells: Cells, centroids: Centroids, n_counted: Float[Array, ""]
) -> Float[Array, ""]:
    """``sum_ik a_ik |x_i - c_k|^2 / n`` over the cells of this shard."""

    def step(start: Int[Array, ""], fresh: Bool[Array, " block"], scatter: Array) -> Array:
        block, d = _differences(cells, centroids, start)
        return scatter + jnp.sum(zeroed(block.a, fresh) / n_counted * jnp.sum(d * d, axis=-1))

    return _over_blocks(cells, step, jnp.zeros_like(cells.a, shape=()))


@jax.custom_jvp
def rewritten_if_tight(
    tight: Bool[Array, ""],
    cells: Cells,
    centroids: Centroids,
    scatter_bar: Float[Array, ""],
    per_weight: PerCluster,
    gradients: Gradients,
) -> Gradients:
    """The gradients by coordinates and assignments, from differences if the clusters are tight.

    They are written over the given ones in a loop that has no round otherwise, where a
    branch would copy the gradients. Under ``vmap`` it has no round unless the clusters of
    some loss are tight. Reverse mode cannot differentiate a loop of unknown length, so the
    derivative takes a branch.
    """
    rounds = jnp.where(tight, jnp.int32(_n_blocks(cells)), 0)

    def over_blocks(cells: Cells, step: Step[Carry], carry: Carry) -> Carry:
        return lax.fori_loop(jnp.int32(0), rounds, partial(_round, cells, step), carry)

    x_bar, a_bar = gradients
    held = cells._replace(x=_as_bits(cells.x)), centroids, scatter_bar, per_weight
    x_bar, a_bar = _rewritten(over_blocks, *held, (_as_bits(x_bar), a_bar))
    return _as_floats(x_bar), a_bar


@rewritten_if_tight.defjvp
def _derivative(primals: tuple, tangents: tuple) -> tuple[Gradients, Gradients]:
    def in_a_branch(tight: Bool[Array, ""], *operands: Any) -> Gradients:
        *_, gradients = operands
        return lax.cond(tight, lambda: _rewritten(_over_blocks, *operands), lambda: gradients)

    return jax.jvp(in_a_branch, primals, tangents)


def _rewritten(
    over_blocks: Callable[..., Gradients],
    cells: Cells,
    centroids: Centroids,
    scatter_bar: Float[Array, ""],
    per_weight: PerCluster,
    gradients: Gradients,
) -> Gradients:
    """``sum_k a_ik (2 s d_ik + w_k)`` and ``d_ik . (s d_ik + w_k)`` with ``d_ik = x_i - c_k``.

    Here s is the cotangent of the scatter's sum, and w_k that of a centroid over the
    cluster's weight.
    """

    def step(start: Int[Array, ""], _: Array, gradients: Gradients) -> Gradients:
        block, d = _differences(cells, centroids, start)
        x_rows = jnp.sum(block.a[..., None] * (2 * scatter_bar * d + per_weight[None]), axis=1)
        x_rows = zeroed(x_rows, block.where)
        a_rows = jnp.sum(d * (scatter_bar * d + per_weight[None]), axis=-1)
        x_bar, a_bar = gradients
        return (
            write_rows(x_bar, _as_held_by(x_bar, x_rows), start),
            write_rows(a_bar, block.only_counted(a_rows), start),
        )

    return over_blocks(cells, step, gradients)


def _differences(
    cells: Cells, centroids: Centroids, start: Int[Array, ""]
) -> tuple[Cells, Float[Array, "block n_clusters dim"]]:
    """A block of cells and their differences ``x_i - c_k``."""
    block = cells.block(start, _block_size(cells))
    differences = block.x[:, None]
    for part in centroids:
        differences = differences - part[None]
    return block, differences


def _as_bits(floats: Float[Array, "*shape"]) -> Shaped[Array, "*shape"]:
    bits = _BITS.get(floats.dtype)
    return floats if bits is None else lax.bitcast_convert_type(floats, bits)


def _as_floats(held: Shaped[Array, "*shape"]) -> Float[Array, "*shape"]:
    floats = _FLOATS.get(held.dtype)
    return held if floats is None else lax.bitcast_convert_type(held, floats)


def _as_held_by(array: Array, floats: Float[Array, "*shape"]) -> Shaped[Array, "*shape"]:
    """The numbers in the dtype, or as the bits, of an array's."""
    return _as_bits(floats.astype(_FLOATS.get(array.dtype, array.dtype)))


def _over_blocks(cells: Cells, step: Step[Carry], carry: Carry) -> Carry:
    """Fold ``step(start, fresh, carry)`` over all blocks of cells, as ``over_row_blocks`` does.

    It is a scan, which reverse mode can differentiate.
    """
    blocks = jnp.arange(_n_blocks(cells), dtype=jnp.int32)
    return lax.scan(lambda c, block: (_round(cells, step, block, c), None), carry, blocks)[0]


def _round(cells: Cells, step: Step[Carry], block: Int[Array, ""], carry: Carry) -> Carry:
    size = _block_size(cells)
    start = jnp.minimum(block * size, len(cells.x) - size)
    fresh = start + jnp.arange(size, dtype=jnp.int32) >= block * size
    return step(start, fresh, carry)


def _n_blocks(cells: Cells) -> int:
    return -(-len(cells.x) // _block_size(cells))


def _block_size(cells: Cells) -> int:
    """Cells whose differences fit a CPU's cache, and a fraction of the memory of all cells."""
    (n_cells, dim), n_clusters = cells.x.shape, cells.a.shape[1]
    budget = min(1 << 14, n_cells * dim // 32)
    return rows_for(n_clusters * dim, budget=budget, smallest=1, largest=n_cells)
