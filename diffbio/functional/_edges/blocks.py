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

__all__ = ["Edges", "Indices", "gradients_in_blocks", "over_products", "read_all", "transposed"]

Tree = TypeVar("Tree")
Results = TypeVar("Results")
Indices = Int[Array, "n_cells n_neighbors"]


class Edges(NamedTuple):
    r"""The edges as constants: which cells they join, and what is known of each edge.

    Attributes:
        indices: the edges' second cells, by their indices among the cells of all shards.
        labels: numbers or booleans per edge, or per cell.
        units: what points are divided by before they are multiplied.
    """

    indices: Indices
    labels: tuple[Shaped[Array, "n_cells *n_neighbors"], ...]
    units: Units


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
    return transposed(sums_over_last_axis(platform, terms, *operands))


def _own_squares(points: Points, units: Units) -> tuple[Float[Array, " n_cells"], ...]:
    """The product that each cell has without an edge, the square of its p, if there is a p."""
    if units.p is None:
        return ()
    return (jnp.sum((points[1] * (1 / units.p)[:, None]) ** 2, axis=1),)


def transposed(arrays: Tree) -> Tree:
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
    """The cotangents of the points, by the coefficients and what scales cells and vectors."""
    block = _block_size(platform, points, indices)

    def step(start: Int[Array, ""], fresh: Bool[Array, " block"], points_bar: Points) -> Points:
        x_bar, *p_bar = points_bar
        scale = jnp.where(fresh, read_rows(of_cells, start, block), 0)
        along, onto, own = jax.tree.map(
            lambda columns: (jnp.broadcast_to(scale, columns.shape) * columns).T[..., None],
            read_all(coefficients, start, block),
        )
        d, *p = (array * of_vectors for array in _vectors(points, indices, start, block))
        d_bar = along * d
        if p_units is not None:
            d_bar += onto * p[0]
            own_p = p[0][:, 0] * (1 / read_rows(p_units, start, block))[:, None]
            rows = jnp.sum(onto * d, axis=1) + own * own_p
            p_bar = [_add_rows(p_bar[0], rows, start)]
        ends = read_rows(indices, start, block)
        x_bar = x_bar.at[ends].add(d_bar, mode="promise_in_bounds")
        return _add_rows(x_bar, -jnp.sum(d_bar, axis=1), start), *p_bar

    zeros = jax.tree.map(jnp.zeros_like, points)
    return over_row_blocks(len(points[0]), block, step, zeros)


def _add_rows(array: Array, rows: Array, start: Int[Array, ""]) -> Array:
    return write_rows(array, read_rows(array, start, rows.shape[0]) + rows, start)
