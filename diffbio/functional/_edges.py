"""Losses of cells over the edges to their neighbours, with both passes in blocks of cells.

Autodiff would keep the gathered ``(n_cells, n_neighbors, dim)`` differences, and several
arrays of the size of the edges. Here a block's differences live as long as the block.
A forward pass that will be differentiated leaves one or two numbers per edge behind, the
backward pass gathers the differences again and multiplies them by those.

Numbers of edges have the shape ``(n_neighbors, n_cells)`` in here: with the cells along
the minor axis, XLA makes short vector loops of every operation. With the few neighbours
there it would unroll each row, which takes longer to run and to compile.
"""

from collections.abc import Callable
from functools import partial
from typing import NamedTuple, TypeVar

import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Bool, Float, Int, Shaped

from diffbio._blocks import over_row_blocks, read_rows, rows_for, write_rows
from diffbio._numerics import sums_over_last_axis

__all__ = ["CellLoss", "Columns", "Edges", "edge_losses", "padded_to_itself", "usable_neighbors"]

Tree = TypeVar("Tree")
Indices = Int[Array, "n_cells n_neighbors"]
Columns = tuple[Array, ...]
CellLoss = Callable[[Columns, Columns, Columns], Array]


class Edges(NamedTuple):
    r"""The points whose differences ``d = (x[indices] - x[:, None]) / unit`` are the edges.

    Attributes:
        x: points; gradients flow into both ends of each edge.
        p: a vector per cell that d is compared with, or None.
        indices: the edges' second cells, each in ``[0, n_cells)``.
        unit: what d and p are divided by before they are multiplied; without gradient.
    """

    x: Float[Array, "n_cells dim"]
    p: Float[Array, "n_cells dim"] | None
    indices: Indices
    unit: Float[Array, ""] | float = 1.0


def usable_neighbors(indices: Indices, where: Bool[Array, " n_cells"] | None) -> Array:
    """Which entries carry weight: not negative, not the cell itself, neither end masked."""
    own = jnp.arange(indices.shape[0], dtype=indices.dtype)[:, None]
    usable = (indices >= 0) & (indices != own) & (indices < indices.shape[0])
    if where is None:
        return usable
    return usable & where[:, None] & where[padded_to_itself(indices, usable)]


def padded_to_itself(indices: Indices, usable: Array) -> Indices:
    """The indices, with entries that are not usable pointing at the cell itself."""
    own = jnp.arange(indices.shape[0], dtype=indices.dtype)[:, None]
    return jnp.where(usable, indices, own)


@partial(jax.custom_vjp, nondiff_argnums=(0,))
def edge_losses(
    cell_loss: CellLoss,
    edges: Edges,
    parameters: tuple[Float[Array, " n_cells"], ...],
    labels: tuple[Shaped[Array, "n_cells n_neighbors"], ...],
) -> Float[Array, " n_cells"]:
    """``cell_loss(products, parameters, labels)`` for every cell.

    Args:
        cell_loss: maps a block of cells to its ``(block,)`` losses. The products are
            ``|d|^2`` of each edge and, where there is a p, ``d . p`` and ``|d - p|^2``;
            products and labels come as ``(n_neighbors, block)``.
        edges: the edges.
        parameters: numbers per cell, differentiated.
        labels: integers or booleans per edge.
    """
    block = _block_size(edges)

    def step(start: Int[Array, ""], _: Array, losses: Array) -> Array:
        found = cell_loss(
            _products(edges, start, block),
            _read_all(parameters, start, block),
            _read_all(_transposed(labels), start, block),
        )
        return _write_all(losses, found, start)

    n_cells = edges.x.shape[0]
    return over_row_blocks(n_cells, block, step, jnp.zeros(n_cells, edges.x.dtype))


def _block_size(edges: Edges) -> int:
    elements_per_row = edges.indices.shape[1] * edges.x.shape[1]
    rows = rows_for(elements_per_row, budget=1 << 20, smallest=4, largest=256)
    return min(edges.x.shape[0], rows)


def _operands(edges: Edges, start: Int[Array, ""], block: int) -> tuple[Array, ...]:
    """The block's differences, ``(block, n_neighbors, dim)``, and its rows of p if any."""
    ends = edges.x.at[read_rows(edges.indices, start, block)].get(mode="promise_in_bounds")
    arrays = [ends - read_rows(edges.x, start, block)[:, None]]
    if edges.p is not None:
        arrays.append(read_rows(edges.p, start, block)[:, None])
    return tuple(array / edges.unit for array in arrays)


def _products(
    edges: Edges, start: Int[Array, ""], block: int
) -> tuple[Float[Array, "n_neighbors block"], ...]:
    """What a cell loss is a function of."""
    return _transposed(sums_over_last_axis(_terms, *_operands(edges, start, block)))


def _terms(d: Array, p: Array | None = None) -> tuple[Array, ...]:
    """The products' terms; the last from differences, since its three parts would cancel."""
    return (d * d,) if p is None else (d * d, d * p, (d - p) ** 2)


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


class _Coefficients(NamedTuple):
    """With them, the cotangent of d is ``along d + onto p`` and that of p ``onto d + own p``."""

    along: Float[Array, "n_neighbors n_cells"]
    onto: Float[Array, "n_neighbors n_cells"] | None = None
    own: Float[Array, " n_cells"] | None = None


_Results = tuple[Array, _Coefficients, Columns]
_Residuals = tuple[Edges, _Coefficients, Columns]


def _coefficients(
    squares_bar: Array, inner_bar: Array | None = None, misses_bar: Array | None = None
) -> _Coefficients:
    if inner_bar is None or misses_bar is None:
        return _Coefficients(2 * squares_bar)
    own = 2 * jnp.sum(misses_bar, axis=0)
    return _Coefficients(2 * (squares_bar + misses_bar), inner_bar - 2 * misses_bar, own)


def _forward(
    cell_loss: CellLoss, edges: Edges, parameters: Columns, labels: Columns
) -> tuple[Float[Array, " n_cells"], _Residuals]:
    """The losses, and each loss's own derivatives, which its cotangent will scale."""
    block = _block_size(edges)

    def step(start: Int[Array, ""], _: Array, results: _Results) -> _Results:
        label_columns = _read_all(_transposed(labels), start, block)
        losses, pull_back = jax.vjp(
            lambda products, columns: cell_loss(products, columns, label_columns),
            _products(edges, start, block),
            _read_all(parameters, start, block),
        )
        products_bar, parameters_bar = pull_back(jnp.ones_like(losses))
        return _write_all(results, (losses, _coefficients(*products_bar), parameters_bar), start)

    n_cells = edges.x.shape[0]
    no_losses = jnp.zeros(n_cells, edges.x.dtype)
    per_edge = [jnp.zeros(edges.indices.shape[::-1], edges.x.dtype)]
    empty = (
        no_losses,
        _coefficients(*per_edge * (1 if edges.p is None else 3)),
        jax.tree.map(jnp.zeros_like, parameters),
    )
    losses, coefficients, parameters_bar = over_row_blocks(n_cells, block, step, empty)
    return losses, (edges, coefficients, parameters_bar)


def _backward(
    cell_loss: CellLoss, residuals: _Residuals, losses_bar: Float[Array, " n_cells"]
) -> tuple[Edges, Columns, None]:
    edges, coefficients, parameters_bar = residuals
    block = _block_size(edges)

    def step(
        start: Int[Array, ""], fresh: Bool[Array, " block"], gradients: tuple[Array, Array | None]
    ) -> tuple[Array, Array | None]:
        x_bar, p_bar = gradients
        scale = jnp.where(fresh, read_rows(losses_bar, start, block), 0)
        along, onto, own = jax.tree.map(
            lambda columns: (
                (jnp.broadcast_to(scale, columns.shape) * columns).T[..., None] / edges.unit
            ),
            _read_all(coefficients, start, block),
        )
        d, *p = _operands(edges, start, block)
        d_bar = along * d
        if p and p_bar is not None:
            d_bar += onto * p[0]
            p_bar = _add_rows(p_bar, jnp.sum(onto * d, axis=1) + own * p[0][:, 0], start)
        ends = read_rows(edges.indices, start, block)
        x_bar = x_bar.at[ends].add(d_bar, mode="promise_in_bounds")
        return _add_rows(x_bar, -jnp.sum(d_bar, axis=1), start), p_bar

    zeros = jax.tree.map(jnp.zeros_like, (edges.x, edges.p))
    x_bar, p_bar = over_row_blocks(edges.x.shape[0], block, step, zeros)
    parameters_bar = tuple(losses_bar * bar for bar in parameters_bar)
    edges_bar = Edges(x_bar, p_bar, None, None)  # type: ignore[arg-type]
    return edges_bar, parameters_bar, None


def _add_rows(array: Array, rows: Array, start: Int[Array, ""]) -> Array:
    return write_rows(array, read_rows(array, start, rows.shape[0]) + rows, start)


edge_losses.defvjp(_forward, _backward)
