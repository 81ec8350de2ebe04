"""Both passes over edges, in blocks of cells whose differences live as long as the block."""

from collections.abc import Callable
from typing import NamedTuple, TypeVar

import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Bool, Float, Int, Shaped

from diffbio._blocks import over_row_blocks, read_rows, rows_for, write_rows
from diffbio._numerics import sums_over_last_axis
from diffbio._platform import Platform
from diffbio._shards import AxisName, n_shards
from diffbio.functional._edges.ring import group_size, products_in_ring
from diffbio.functional._edges.terms import Coefficients, Columns, Points, terms
from diffbio.functional._edges.units import Units

__all__ = ["Edges", "Indices", "gradients_in_blocks", "over_products", "read_all"]

Tree = TypeVar("Tree")
Results = TypeVar("Results")
Indices = Int[Array, "n_cells n_neighbors"]


class Edges(NamedTuple):
    r"""The edges as constants: which cells they join, and what is known of each edge.

    Attributes:
        indices: the edges' second cells, by their indices among the cells of all shards.
        labels: numbers or booleans per edge, or per cell.
        units: what points are divided by before they are multiplied.
        constants: numbers that all cells share.
    """

    indices: Indices
    labels: tuple[Shaped[Array, "n_cells *n_neighbors"], ...]
    units: Units
    constants: tuple[Array, ...] = ()

    def labels_of(self, start: Int[Array, ""], block: int) -> Columns:
        """The labels of a block of cells, with the cells last, and then the constants."""
        return *read_all(_transposed(self.labels), start, block), *self.constants


def over_products(
    platform: Platform,
    results_of: Callable[[Columns, Int[Array, ""], int], Results],
    points: Points,
    edges: Edges,
    axis_name: AxisName,
    results: Results,
) -> Results:
    """Write ``results_of(products, start, block)`` for every block of cells.

    If far ends lie in other shards, the products are made beforehand for a group of blocks.
    """
    n_cells = len(points[0])
    own_squares = _own_squares(points, edges.units)

    def with_results(
        products: Columns, start: Int[Array, ""], block: int, results: Results
    ) -> Results:
        products += read_all(own_squares, start, block)
        if edges.units.per_square is not None:
            rows = read_rows(points[0], start, block)
            # A square may overflow, but a cell at infinity is an error that must stay seen.
            factors = jnp.where(
                jnp.all(jnp.isfinite(rows), axis=1), edges.units.per_square, jnp.nan
            )
            products = tuple(squares * factors[None] for squares in products)
        return _write_all(results, results_of(products, start, block), start)

    if n_shards(axis_name) == 1:
        block = _block_size(platform, points, edges.indices)

        def step(start: Int[Array, ""], _: Array, results: Results) -> Results:
            products = _products(platform, points, edges, start, block)
            return with_results(products, start, block, results)

        return over_row_blocks(n_cells, block, step, results)

    group = group_size(n_cells)
    block = min(group, _block_size(platform, points, edges.indices))

    def take_turn(first: Int[Array, ""], _: Array, results: Results) -> Results:
        per_unit = 1 / edges.units.squared
        products = products_in_ring(platform, points, edges.indices, per_unit, first, axis_name)

        def step(start: Int[Array, ""], _: Array, results: Results) -> Results:
            of_block = read_all(products, start, block)
            return with_results(of_block, first + start, block, results)

        return over_row_blocks(group, block, step, results)

    return over_row_blocks(n_cells, group, take_turn, results)


def _block_size(platform: Platform, points: Points, indices: Indices) -> int:
    """Cells per block: their differences stay near a CPU's cache, or take 256 MB elsewhere."""
    n_cells, dim = points[0].shape
    budget, largest = (1 << 20, 256) if platform is Platform.CPU else (1 << 26, n_cells)
    elements_per_row = indices.shape[1] * dim
    return min(n_cells, rows_for(elements_per_row, budget=budget, smallest=4, largest=largest))


def _vectors(
    points: Points, indices: Indices, start: Int[Array, ""], block: int
) -> tuple[Array, ...]:
    """The block's differences, ``(block, n_neighbors, dim)``, and its rows of p if any."""
    x, *p = points
    ends = x.at[read_rows(indices, start, block)].get(mode="promise_in_bounds")
    differences = ends - read_rows(x, start, block)[:, None]
    return differences, *(read_rows(rows, start, block)[:, None] for rows in p)


def _products(
    platform: Platform, points: Points, edges: Edges, start: Int[Array, ""], block: int
) -> tuple[Float[Array, "n_neighbors block"], ...]:
    """The products of a block's edges."""
    per_unit = 1 / edges.units.squared
    operands = (array * per_unit for array in _vectors(points, edges.indices, start, block))
    return _transposed(sums_over_last_axis(platform, terms, *operands))


def _own_squares(points: Points, units: Units) -> tuple[Float[Array, " n_cells"], ...]:
    """The product that each cell has without an edge, the square of its p, if there is a p."""
    if units.p is None:
        return ()
    return (jnp.sum((points[1] * (1 / units.p)[:, None]) ** 2, axis=1),)


def _transposed(arrays: Tree) -> Tree:
    return jax.tree.map(jnp.transpose, arrays)


def read_all(arrays: Tree, start: Int[Array, ""], block: int) -> Tree:
    """A block of cells of arrays whose last axis is the cells."""
    return jax.tree.map(
        lambda array: lax.dynamic_slice_in_dim(array, start, block, axis=-1), arrays
    )


def _write_all(arrays: Tree, blocks: Tree, start: Int[Array, ""]) -> Tree:
    return jax.tree.map(
        lambda whole, part: lax.dynamic_update_slice_in_dim(whole, part, start, axis=-1),
        arrays,
        blocks,
    )


def gradients_in_blocks(
    platform: Platform,
    points: Points,
    indices: Indices,
    p_units: Float[Array, " n_cells"] | None,
    coefficients: Coefficients,
    of_cells: Float[Array, " n_cells"],
    of_vectors: Float[Array, ""] | float,
) -> Points:
    """The cotangents of the points, by the coefficients and what scales cells and vectors.

    With ``d = x_j - x_i``: ``d_bar = along d + onto p``, which x_j gets, and x_i with the other
    sign; ``p_bar = sum_j onto d + own p``.
    """
    n_neighbors = indices.shape[1]
    n_slots, block = _gradient_block_size(platform, points, indices)

    def step(start: Int[Array, ""], fresh: Bool[Array, " block"], points_bar: Points) -> Points:
        scale = jnp.where(fresh, read_rows(of_cells, start, block), 0)
        along, onto, own = jax.tree.map(
            lambda columns: jnp.broadcast_to(scale, columns.shape) * columns,
            read_all(coefficients, start, block),
        )
        ends = read_rows(indices, start, block).T
        x, *p = (read_rows(array, start, block) for array in points)

        def add_slots(
            slot: Int[Array, ""], _: Array, sums: tuple[Array, Points]
        ) -> tuple[Array, Points]:
            x_bar, (x_rows, *p_rows) = sums
            here = read_rows(ends, slot, n_slots)
            d = (points[0].at[here].get(mode="promise_in_bounds") - x[None]) * of_vectors
            d_bar = read_rows(along, slot, n_slots)[..., None] * d
            if p:
                per_d = read_rows(onto, slot, n_slots)[..., None]
                d_bar += per_d * (p[0] * of_vectors)[None]
                p_rows = [p_rows[0] + jnp.sum(per_d * d, axis=0)]
            x_bar = _add_at(platform, x_bar, here, d_bar)
            return x_bar, (x_rows - jnp.sum(d_bar, axis=0), *p_rows)

        x_bar, *p_bar = points_bar
        sums = x_bar, (jnp.zeros_like(x), *map(jnp.zeros_like, p))
        x_bar, (x_rows, *p_rows) = over_row_blocks(n_neighbors, n_slots, add_slots, sums)
        if p_units is not None:
            own_p = p[0] * of_vectors * (1 / read_rows(p_units, start, block))[:, None]
            p_bar = [_add_rows(p_bar[0], p_rows[0] + own[:, None] * own_p, start)]
        return _add_rows(x_bar, x_rows, start), *p_bar

    zeros = jax.tree.map(jnp.zeros_like, points)
    return over_row_blocks(len(points[0]), block, step, zeros)


def _gradient_block_size(platform: Platform, points: Points, indices: Indices) -> tuple[int, int]:
    """Neighbours of each cell that are worked on at once, and cells per block.

    On a CPU it is one neighbour of each cell. So the array of the cotangents that are added to
    far ends is small, and the sum over the neighbours of a cell is no reduction, which XLA
    would make a pass of its own.
    """
    if platform is Platform.ACCELERATOR:
        return indices.shape[1], _block_size(platform, points, indices)
    n_cells, dim = points[0].shape
    return 1, min(n_cells, rows_for(dim, budget=1 << 16, smallest=4, largest=1024))


def _add_at(platform: Platform, array: Array, rows: Array, addends: Array) -> Array:
    """The array with the addends added at these rows.

    XLA on a CPU adds with vector instructions where a row has a multiple of 8 columns. So the
    columns up to such a multiple are added first.
    """
    dim = array.shape[1]
    whole = dim if platform is Platform.ACCELERATOR else dim - dim % 8
    for columns in (slice(0, whole), slice(whole, dim)):
        if columns.start < columns.stop:
            at = array.at[rows, columns] if whole < dim else array.at[rows]
            array = at.add(addends[..., columns], mode="promise_in_bounds")
    return array


def _add_rows(array: Array, rows: Array, start: Int[Array, ""]) -> Array:
    return write_rows(array, read_rows(array, start, rows.shape[0]) + rows, start)
