"""Measures of the edges from each cell to its neighbours, with both passes in row blocks.

Autodiff through gathered ``(n_cells, n_neighbors, dim)`` differences would keep that
array; the custom derivative here gathers it again, one block of rows at a time.
"""

from collections.abc import Callable
from functools import partial

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int

from diffbio._blocks import over_row_blocks, read_rows, rows_for, write_rows

__all__ = ["EdgeInputs", "edge_measures", "padded_to_itself", "usable_neighbors"]

EdgeInputs = tuple[Float[Array, "n_cells dim"], ...]
Measure = Callable[..., tuple[Array, ...]]


def usable_neighbors(
    indices: Int[Array, "n_cells n_neighbors"], where: Bool[Array, " n_cells"] | None
) -> Bool[Array, "n_cells n_neighbors"]:
    """Which entries carry weight: not negative, not the cell itself, neither end masked."""
    own = jnp.arange(indices.shape[0])[:, None]
    usable = (indices >= 0) & (indices != own) & (indices < indices.shape[0])
    if where is None:
        return usable
    return usable & where[:, None] & where[padded_to_itself(indices, usable)]


def padded_to_itself(indices: Array, usable: Array) -> Int[Array, "n_cells n_neighbors"]:
    """The indices, with entries that are not usable pointing at the cell itself."""
    own = jnp.arange(indices.shape[0], dtype=indices.dtype)[:, None]
    return jnp.where(usable, indices, own)


@partial(jax.custom_vjp, nondiff_argnums=(0,))
def edge_measures(
    measure: Measure,
    x: Float[Array, "n_cells dim"],
    cell_inputs: EdgeInputs,
    indices: Int[Array, "n_cells n_neighbors"],
) -> tuple[Float[Array, "n_cells n_neighbors"], ...]:
    """``measure(x[indices] - x[:, None], *cell_inputs[:, None])`` in blocks of rows.

    Args:
        measure: maps ``(block, n_neighbors, dim)`` differences and one row of each cell
            input per cell to a tuple of ``(block, n_neighbors)`` measures; static.
        x: points; the measures' gradient flows into both ends of each edge.
        cell_inputs: further ``(n_cells, dim)`` arrays that belong to the edge's first cell.
        indices: the edges' second cells, each in ``[0, n_cells)``.
    """
    n_cells, n_neighbors = indices.shape
    block = _block_size(x, indices)

    def step(start, _, measures):
        outputs = measure(*_block_operands(x, cell_inputs, indices, start, block))
        return tuple(write_rows(m, o, start) for m, o in zip(measures, outputs, strict=True))

    one_row = jax.eval_shape(
        lambda: measure(*_block_operands(x, cell_inputs, indices, jnp.int32(0), 1))
    )
    empty = tuple(jnp.zeros((n_cells, n_neighbors), output.dtype) for output in one_row)
    return over_row_blocks(n_cells, block, step, empty)


def _block_size(x: Array, indices: Array) -> int:
    elements_per_row = indices.shape[1] * x.shape[1]
    return min(x.shape[0], rows_for(elements_per_row, budget=1 << 18, smallest=4, largest=256))


def _block_operands(x, cell_inputs, indices, start, block) -> tuple[Array, ...]:
    ends = x.at[read_rows(indices, start, block)].get(mode="promise_in_bounds")
    differences = ends - read_rows(x, start, block)[:, None]
    return differences, *(read_rows(values, start, block)[:, None] for values in cell_inputs)


def _forward(measure, x, cell_inputs, indices):
    return edge_measures(measure, x, cell_inputs, indices), (x, cell_inputs, indices)


def _backward(measure, residuals, cotangents):
    x, cell_inputs, indices = residuals
    block = _block_size(x, indices)

    def step(start, fresh, gradients):
        x_bar, inputs_bar = gradients
        operands = _block_operands(x, cell_inputs, indices, start, block)
        block_cotangents = tuple(
            jnp.where(fresh[:, None], read_rows(c, start, block), 0) for c in cotangents
        )
        edge_bar, *cell_bars = jax.vjp(measure, *operands)[1](block_cotangents)
        ends = read_rows(indices, start, block)
        x_bar = x_bar.at[ends].add(edge_bar, mode="promise_in_bounds")
        x_bar = write_rows(x_bar, read_rows(x_bar, start, block) - edge_bar.sum(axis=1), start)
        inputs_bar = tuple(
            write_rows(whole, read_rows(whole, start, block) + part[:, 0], start)
            for whole, part in zip(inputs_bar, cell_bars, strict=True)
        )
        return x_bar, inputs_bar

    zeros = jnp.zeros_like(x), tuple(map(jnp.zeros_like, cell_inputs))
    return *over_row_blocks(x.shape[0], block, step, zeros), None


edge_measures.defvjp(_forward, _backward)
