"""Losses of cells over the edges to their neighbours, with both passes in blocks of cells.

Autodiff would keep the gathered ``(n_cells, n_neighbors, dim)`` differences, and several
arrays of the size of the edges. Here a block's differences live as long as the block.
A forward pass that will be differentiated leaves one or two numbers per edge behind. The
backward pass gathers the differences again and multiplies them by these numbers.

Inside of the passes, an array of one number per edge is ``(n_neighbors, n_cells)``. With the
cells along the minor axis, XLA makes short vector loops of every operation. With the few
neighbours along it, XLA would unroll each row, which takes longer to run and to compile.
"""

from collections.abc import Callable
from functools import partial
from typing import NamedTuple, TypeVar

import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Bool, Float, Int, Shaped

from diffbio._blocks import over_row_blocks, read_rows, rows_for, varying_alike, write_rows
from diffbio._numerics import sums_over_last_axis
from diffbio._shards import AxisName, largest_of_all, n_shards
from diffbio.functional._edge_terms import Coefficients, Columns, Points, coefficients_of, terms
from diffbio.functional._ring_edges import gradients_in_ring, group_size, products_in_ring

__all__ = [
    "CellLoss",
    "Columns",
    "Edges",
    "edge_losses",
    "unit_of",
]

Tree = TypeVar("Tree")
Results = TypeVar("Results")
Indices = Int[Array, "n_cells n_neighbors"]
CellLoss = Callable[[Columns, Columns, Columns], Array]


class Edges(NamedTuple):
    r"""The edges as constants: which cells they join, and what is known of each edge.

    Attributes:
        indices: the edges' second cells, by their indices among the cells of all shards.
        labels: numbers or booleans per edge.
        unit: what points are divided by before they are multiplied.
    """

    indices: Indices
    labels: tuple[Shaped[Array, "n_cells n_neighbors"], ...]
    unit: Float[Array, ""] | float = 1.0


def unit_of(x: Float[Array, "n_cells dim"], axis_name: AxisName) -> Float[Array, ""]:
    """A power of 2 near the largest coordinate, 1 if that is 0 or not finite.

    Squares in this unit neither under- nor overflow. Dividing by it rounds nothing, nor does
    multiplying by its inverse, which is a normal number too.
    """
    largest = largest_of_all(lax.stop_gradient(jnp.max(jnp.abs(x))), axis_name)
    unit = lax.reduce_precision(largest, jnp.finfo(x.dtype).nexp, 0)
    unit = jnp.minimum(unit, 1 / jnp.finfo(x.dtype).tiny)
    return jnp.where((unit > 0) & jnp.isfinite(largest), unit, 1)


def edge_losses(
    cell_loss: CellLoss,
    points: Points,
    parameters: tuple[Float[Array, " n_cells"], ...],
    edges: Edges,
    axis_name: AxisName = None,
) -> Float[Array, " n_cells"]:
    """``cell_loss(products, parameters, labels)`` for every cell.

    Args:
        cell_loss: maps a block of cells to its ``(block,)`` losses. With the difference
            ``d = (x[indices] - x[:, None]) / unit`` of each edge, the products are
            ``|d|^2`` and, where there is a p, ``d . p / unit`` and ``|d - p / unit|^2``;
            products and labels come as ``(n_neighbors, block)``.
        points: ``(x,)``, or ``(x, p)`` with a vector p per cell that d is compared with;
            differentiated, with gradients into both ends of each edge.
        parameters: numbers per cell, differentiated.
        edges: the edges.
        axis_name: the axis of a mesh over which the cells lie in shards.
    """
    return _edge_losses(cell_loss, axis_name, *varying_alike((points, parameters, edges)))


@partial(jax.custom_vjp, nondiff_argnums=(0, 1))
def _edge_losses(
    cell_loss: CellLoss, axis_name: AxisName, points: Points, parameters: Columns, edges: Edges
) -> Float[Array, " n_cells"]:
    """``edge_losses`` of arguments that all vary over the same axes of a mesh."""

    def losses_of(products: Columns, start: Int[Array, ""], block: int) -> Array:
        return cell_loss(
            products,
            _read_all(parameters, start, block),
            _read_all(_transposed(edges.labels), start, block),
        )

    x = points[0]
    return _over_blocks(losses_of, points, edges, axis_name, jnp.zeros(len(x), x.dtype))


def _over_blocks(
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
    if n_shards(axis_name) == 1:
        block = _block_size(points, edges)

        def step(start: Int[Array, ""], _: Array, results: Results) -> Results:
            products = _products(points, edges, start, block)
            return _write_all(results, results_of(products, start, block), start)

        return over_row_blocks(n_cells, block, step, results)

    group = group_size(n_cells)
    block = min(group, _block_size(points, edges))

    def take_turn(first: Int[Array, ""], _: Array, results: Results) -> Results:
        products = products_in_ring(points, edges.indices, edges.unit, first, axis_name)

        def step(start: Int[Array, ""], _: Array, results: Results) -> Results:
            found = results_of(_read_all(products, start, block), first + start, block)
            return _write_all(results, found, first + start)

        return over_row_blocks(group, block, step, results)

    return over_row_blocks(n_cells, group, take_turn, results)


def _block_size(points: Points, edges: Edges) -> int:
    n_cells, dim = points[0].shape
    elements_per_row = edges.indices.shape[1] * dim
    return min(n_cells, rows_for(elements_per_row, budget=1 << 20, smallest=4, largest=256))


def _operands(points: Points, edges: Edges, start: Int[Array, ""], block: int) -> tuple[Array, ...]:
    """The block's differences, ``(block, n_neighbors, dim)``, and its rows of p if any."""
    x, *p = points
    ends = x.at[read_rows(edges.indices, start, block)].get(mode="promise_in_bounds")
    arrays = [ends - read_rows(x, start, block)[:, None]]
    arrays += [read_rows(vectors, start, block)[:, None] for vectors in p]
    per_unit = 1 / edges.unit
    return tuple(array * per_unit for array in arrays)


def _products(
    points: Points, edges: Edges, start: Int[Array, ""], block: int
) -> tuple[Float[Array, "n_neighbors block"], ...]:
    """The products that a cell loss takes, for a block of cells."""
    return _transposed(sums_over_last_axis(terms, *_operands(points, edges, start, block)))


def _transposed(arrays: Tree) -> Tree:
    return jax.tree.map(jnp.transpose, arrays)


def _read_all(arrays: Tree, start: Int[Array, ""], block: int) -> Tree:
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


_Results = tuple[Array, Coefficients, Columns]
_Residuals = tuple[Points, Edges, Coefficients, Columns]


def _forward(
    cell_loss: CellLoss, axis_name: AxisName, points: Points, parameters: Columns, edges: Edges
) -> tuple[Float[Array, " n_cells"], _Residuals]:
    """The losses, and their derivatives, which the backward pass scales by the cotangents."""

    def results_of(products: Columns, start: Int[Array, ""], block: int) -> _Results:
        label_columns = _read_all(_transposed(edges.labels), start, block)
        losses, pull_back = jax.vjp(
            lambda products, columns: cell_loss(products, columns, label_columns),
            products,
            _read_all(parameters, start, block),
        )
        products_bar, parameters_bar = pull_back(jnp.ones_like(losses))
        return losses, coefficients_of(*products_bar), parameters_bar

    x, *p = points
    per_edge = [jnp.zeros(edges.indices.shape[::-1], x.dtype)]
    empty = (
        jnp.zeros(len(x), x.dtype),
        coefficients_of(*per_edge * (3 if p else 1)),
        jax.tree.map(jnp.zeros_like, parameters),
    )
    losses, coefficients, parameters_bar = _over_blocks(results_of, points, edges, axis_name, empty)
    return losses, (points, edges, coefficients, parameters_bar)


def _backward(
    cell_loss: CellLoss,
    axis_name: AxisName,
    residuals: _Residuals,
    losses_bar: Float[Array, " n_cells"],
) -> tuple[Points, Columns, None]:
    points, edges, coefficients, parameters_bar = residuals
    parameters_bar = tuple(losses_bar * bar for bar in parameters_bar)
    if n_shards(axis_name) == 1:
        return _gradients(points, edges, coefficients, losses_bar), parameters_bar, None
    points_bar = gradients_in_ring(
        points, edges.indices, edges.unit, coefficients, losses_bar, axis_name
    )
    return points_bar, parameters_bar, None


def _gradients(
    points: Points,
    edges: Edges,
    coefficients: Coefficients,
    losses_bar: Float[Array, " n_cells"],
) -> Points:
    """The cotangents of the points."""
    block = _block_size(points, edges)

    def step(start: Int[Array, ""], fresh: Bool[Array, " block"], points_bar: Points) -> Points:
        x_bar, *p_bar = points_bar
        scale = jnp.where(fresh, read_rows(losses_bar, start, block), 0)
        along, onto, own = jax.tree.map(
            lambda columns: (
                (jnp.broadcast_to(scale, columns.shape) * columns).T[..., None] * (1 / edges.unit)
            ),
            _read_all(coefficients, start, block),
        )
        d, *p = _operands(points, edges, start, block)
        d_bar = along * d
        if p:
            d_bar += onto * p[0]
            rows = jnp.sum(onto * d, axis=1) + own * p[0][:, 0]
            p_bar = [_add_rows(p_bar[0], rows, start)]
        ends = read_rows(edges.indices, start, block)
        x_bar = x_bar.at[ends].add(d_bar, mode="promise_in_bounds")
        return _add_rows(x_bar, -jnp.sum(d_bar, axis=1), start), *p_bar

    zeros = jax.tree.map(jnp.zeros_like, points)
    return over_row_blocks(len(points[0]), block, step, zeros)


def _add_rows(array: Array, rows: Array, start: Int[Array, ""]) -> Array:
    return write_rows(array, read_rows(array, start, rows.shape[0]) + rows, start)


_edge_losses.defvjp(_forward, _backward)
