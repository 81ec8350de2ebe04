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

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from diffbio._blocks import varying_alike
from diffbio._platform import Platform, by_platform
from diffbio._shards import AxisName, n_shards
from diffbio.functional._edges.blocks import (
    Edges,
    gradients_in_blocks,
    over_products,
    read_all,
)
from diffbio.functional._edges.ring import gradients_in_ring
from diffbio.functional._edges.terms import Coefficients, Columns, Points, coefficients_of
from diffbio.functional._edges.units import per_own_square, scales_of_gradients, times_units

__all__ = ["CellLoss", "Columns", "Edges", "edge_losses"]

CellLoss = Callable[[Columns, Columns, Columns], Array]


def edge_losses(
    cell_loss: CellLoss,
    points: Points,
    parameters: tuple[Float[Array, " n_cells"], ...],
    edges: Edges,
    axis_name: AxisName = None,
) -> Float[Array, " n_cells"]:
    """The loss ``cell_loss(products, parameters, labels)`` of every cell.

    With a p it is multiplied by ``unit^2``.

    Args:
        cell_loss: maps products, parameters and labels of a block of cells to its ``(block,)``
            losses; the edges' constants come as the last labels. With the difference
            ``d = (x[indices] - x[:, None]) / unit`` of each edge, the products are ``|d|^2``,
            for some unit, or, where there is a p, ``|d|^2``, ``d . p / unit``,
            ``|d - p / unit|^2`` and ``|p / p_unit|^2``. Arrays of a number per edge come as
            ``(n_neighbors, block)``.
        points: ``(x,)`` for losses that have no unit, or ``(x, p)`` with a vector p per cell
            that d is compared with, for losses in the squared unit of both; differentiated,
            with gradients into both ends of each edge.
        parameters: numbers per cell, differentiated.
        edges: the edges, with the units.
        axis_name: the axis of a mesh over which the cells lie in shards.
    """
    return _edge_losses(cell_loss, axis_name, *varying_alike((points, parameters, edges)))


@partial(jax.custom_vjp, nondiff_argnums=(0, 1))
def _edge_losses(
    cell_loss: CellLoss,
    axis_name: AxisName,
    points: Points,
    parameters: Columns,
    edges: Edges,
) -> Float[Array, " n_cells"]:
    """The same as :func:`edge_losses`, for arguments that vary over the same axes of a mesh."""
    losses = by_platform(partial(_losses, cell_loss, axis_name), points, parameters, edges)
    return times_units(losses, edges.units)


def _losses(
    cell_loss: CellLoss,
    axis_name: AxisName,
    platform: Platform,
    points: Points,
    parameters: Columns,
    edges: Edges,
) -> Float[Array, " n_cells"]:
    def losses_of(products: Columns, start: Int[Array, ""], block: int) -> Array:
        return cell_loss(
            products,
            read_all(parameters, start, block),
            edges.labels_of(start, block),
        )

    x = points[0]
    empty = jnp.zeros(len(x), x.dtype)
    return over_products(platform, losses_of, points, edges, axis_name, empty)


_Derivatives = tuple[Coefficients, Columns, Array | None]
_Residuals = tuple[Points, Edges, _Derivatives]


def _forward(
    cell_loss: CellLoss,
    axis_name: AxisName,
    points: Points,
    parameters: Columns,
    edges: Edges,
) -> tuple[Float[Array, " n_cells"], _Residuals]:
    """The losses, and their derivatives, which the backward pass scales by the cotangents."""
    differentiated = partial(_losses_and_derivatives, cell_loss, axis_name)
    losses, derivatives = by_platform(differentiated, points, parameters, edges)
    losses = times_units(losses, edges.units)
    return losses, (points, edges, derivatives)


def _losses_and_derivatives(
    cell_loss: CellLoss,
    axis_name: AxisName,
    platform: Platform,
    points: Points,
    parameters: Columns,
    edges: Edges,
) -> tuple[Array, _Derivatives]:
    units = edges.units
    each_its_own = units.p is None and units.per_square is None

    def results_of(
        products: Columns, start: Int[Array, ""], block: int
    ) -> tuple[Array, _Derivatives]:
        per_own = per_own_square(products[0]) if each_its_own else None
        if per_own is not None:
            products = (products[0] * per_own[None],)
        labels = edges.labels_of(start, block)
        losses, pull_back = jax.vjp(
            lambda products, columns: cell_loss(products, columns, labels),
            products,
            read_all(parameters, start, block),
        )
        products_bar, parameters_bar = pull_back(jnp.ones_like(losses))
        coefficients = coefficients_of(units, read_all(units.p, start, block), products_bar)
        return losses, (coefficients, parameters_bar, per_own)

    x, *p = points
    per_edge, per_cell = jnp.zeros(edges.indices.shape[::-1], x.dtype), jnp.zeros(len(x), x.dtype)
    coefficients = Coefficients(per_edge, per_edge, per_cell) if p else Coefficients(per_edge)
    per_own = per_cell if each_its_own else None
    derivatives = coefficients, jax.tree.map(jnp.zeros_like, parameters), per_own
    return over_products(platform, results_of, points, edges, axis_name, (per_cell, derivatives))


def _backward(
    cell_loss: CellLoss,
    axis_name: AxisName,
    residuals: _Residuals,
    losses_bar: Float[Array, " n_cells"],
) -> tuple[Points, Columns, None]:
    """The cotangents of the points and of the parameters."""
    points, edges, (coefficients, parameters_bar, per_own) = residuals
    by_value = times_units(losses_bar, edges.units)
    scales = scales_of_gradients(edges.units, per_own, losses_bar)
    arguments = points, edges.indices, edges.units.p, coefficients, *scales
    if n_shards(axis_name) == 1:
        points_bar = by_platform(gradients_in_blocks, *arguments)
    else:
        points_bar = gradients_in_ring(*arguments, axis_name)
    return points_bar, tuple(by_value * bar for bar in parameters_bar), None


_edge_losses.defvjp(_forward, _backward)
