"""Velocity transitions: the expected squared miss of a cell's extrapolated move."""

from dataclasses import dataclass
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int

from diffbio import _checks
from diffbio._numerics import (
    above_lowest,
    in_accumulation_dtype,
    mean_over_cells,
    safe_inverse,
    safe_sqrt,
    softmax_over,
    zeroed,
)
from diffbio._shards import AxisName
from diffbio._types import AnyArray, Scalar, StaticInteger
from diffbio.functional._edges.losses import Columns, Edges, edge_losses
from diffbio.functional._edges.neighborhood import NeighborLists, listed_neighbors, neighborhood
from diffbio.functional._edges.units import of_points, of_rows
from diffbio.functional._settings import Settings, option

__all__ = ["TransitionSettings", "velocity_transition_loss"]


@dataclass(frozen=True)
class TransitionSettings(Settings):
    """The static options of :func:`velocity_transition_loss`, described there."""

    n_neighbors: int = option(30, _checks.positive_integer)
    block_size: int | None = option(None, _checks.block_size)


def velocity_transition_loss(
    expression: Float[AnyArray, "n_cells n_genes"],
    velocity: Float[AnyArray, "n_cells n_genes"],
    *,
    dt: Scalar = 0.1,
    n_neighbors: StaticInteger = 30,
    temperature: Scalar = 0.1,
    neighbor_indices: NeighborLists | None = None,
    where: Bool[AnyArray, " n_cells"] | None = None,
    block_size: StaticInteger | None = None,
    axis_name: AxisName = None,
) -> Float[Array, ""]:
    r"""Mean squared miss of the extrapolated change over the likely transitions.

    .. math::
        \delta_{ij} = x_j - x_i, \quad p_i = \Delta t \, v_i, \quad
        T_{ij} = \operatorname*{softmax}_{j \in N_k(i)} \frac{\cos(\delta_{ij}, p_i)}{\sigma},
        \quad L = \frac{1}{N} \sum_i \sum_j T_{ij} \lVert \delta_{ij} - p_i \rVert^2

    Args:
        expression: ``(n_cells, n_genes)`` expression x, any linear unit.
        velocity: ``(n_cells, n_genes)`` velocity v, that unit per time.
        dt: time step, finite and above 0; may be traced.
        n_neighbors: number of neighbours k, static; unused with ``neighbor_indices``.
        temperature: sigma, dimensionless, above 0; may be traced.
        neighbor_indices: ``(n_cells, k')`` integers that replace the search, or the
            :class:`~diffbio.neighbors.Neighbors` that hold them. A row is a set: negative
            entries, the cell itself and repeats of an index are padding, which changes nothing.
        where: ``(n_cells,)`` mask; a masked cell is not counted and nobody's neighbour.
        block_size: rows searched at once, static; chosen from the shape by default.
        axis_name: static; the mesh's axis over which the cells lie in shards, inside of
            ``jax.shard_map``. See :mod:`diffbio.sharding`.

    Returns:
        Scalar in the squared unit of the expression, ``promote_types(input, float32)``.

    Raises:
        ValueError: shapes that disagree, ``n_neighbors`` outside ``[1, n_cells)``, a
            non-positive or non-finite configuration.
        TypeError: non-floating arrays, non-integer neighbours, non-boolean mask.

    Gradient:
        With respect to both arrays and the traced scalars, through the probabilities and
        the misses, neighbour sets held fixed. The cosine with a zero vector is 0 without
        gradient. Reverse mode only; second derivatives by forward over reverse mode, as
        in ``jax.hessian``. Reverse over reverse fails inside JAX's loops for more than a
        few hundred cells. The terms of the gradient by the velocity are of the size of a
        squared distance over a step: it is not finite where they leave the range of floats.

    Example:
        Cells on a line that move to the next one, and then back.

        >>> import jax.numpy as jnp
        >>> x = jnp.arange(6.0)[:, None]
        >>> onward = velocity_transition_loss(x, jnp.ones((6, 1)), dt=1.0, n_neighbors=2)
        >>> away = velocity_transition_loss(x, jnp.full((6, 1), 10.0), dt=1.0, n_neighbors=2)
        >>> bool(onward < away)
        True

    References:
        The transition matrix has the form of scVelo's (Bergen et al., Nature
        Biotechnology 38, 2020), whose scale of 10 is 1 / temperature here.
    """
    expression = _checks.floating("expression", expression, ("n_cells", "n_genes"))
    velocity = _checks.floating("velocity", velocity, ("n_cells", "n_genes"))
    for axis, name in enumerate(("n_cells", "n_genes")):
        _checks.same_axis(name, {"expression": (expression, axis), "velocity": (velocity, axis)})
    settings = TransitionSettings.of(n_neighbors=n_neighbors, block_size=block_size)
    dt = _checks.positive("dt", dt)
    temperature = _checks.positive("temperature", temperature)
    listed = listed_neighbors(neighbor_indices, settings.n_neighbors, expression, axis_name)
    listed = None if listed is None else _checks.as_int32(listed)
    where = _checks.mask(where, expression.shape[0])
    return _velocity_transition_loss(
        expression, velocity, dt, temperature, listed, where, settings, axis_name
    )


@partial(jax.jit, static_argnames=("settings", "axis_name"))
def _velocity_transition_loss(
    expression: Float[Array, "n_cells n_genes"],
    velocity: Float[Array, "n_cells n_genes"],
    dt: Scalar,
    temperature: Scalar,
    listed: Int[Array, "n_cells n_listed"] | None,
    where: Bool[Array, " n_cells"] | None,
    settings: TransitionSettings,
    axis_name: AxisName,
) -> Float[Array, ""]:
    x, v = (zeroed(a, where) for a in in_accumulation_dtype(expression, velocity))
    dt, temperature = (jnp.asarray(scalar, x.dtype) for scalar in (dt, temperature))
    # N_k(i), the neighbours of each cell, and which of them carry weight
    neighbors, usable = neighborhood(
        x, listed, where, settings.n_neighbors, settings.block_size, axis_name
    )
    # p_i = dt v_i, in a unit near its length
    p = dt * v
    p_units = of_rows(p)
    units = of_points(axis_name, x, p_units)
    # L_i = sum_j T_ij |d_ij - p_i|^2,  T_ij = softmax_j(cos(d_ij, p_i) / sigma)
    losses = edge_losses(
        _cell_loss,
        (x, p),
        (jnp.broadcast_to(temperature, len(x)),),
        Edges(neighbors, (usable, p_units / units.squared), units),
        axis_name,
    )
    return mean_over_cells(losses, where, axis_name)


def _cell_loss(products: Columns, parameters: Columns, labels: Columns) -> Float[Array, " block"]:
    """The expected squared miss over the transitions, for the cells of a block."""
    return _expected_miss(products, *parameters, *labels)


@jax.custom_vjp
def _expected_miss(
    products: Columns, temperature: Array, usable: Array, p_unit: Array
) -> Float[Array, " block"]:
    r"""``sum_j T_j |d_j - p|^2``, of the products of :func:`edge_losses`, in its unit.

    The gradient through T takes ``s_j = |d_j|^2 - 2 d_j . p`` for ``|d_j - p|^2``, which is
    more by ``|p|^2`` for all neighbours: the derivative of a softmax maps equal numbers to 0.
    Where the step p is far longer than the distances, the differences of ``|d_j - p|^2`` are
    rounded away.
    """
    return _expected_miss_forward(products, temperature, usable, p_unit)[0]


def _expected_miss_forward(
    products: Columns, temperature: Array, usable: Array, p_unit: Array
) -> tuple[Float[Array, " block"], Any]:
    squares, inner, misses, own_square = products
    length, own_length = safe_sqrt(squares), safe_sqrt(own_square)[None]
    step = own_length * p_unit[None]
    per_length, per_step = safe_inverse(length), safe_inverse(step)
    cosines = inner * per_length * per_step
    transitions, pull_back = jax.vjp(
        lambda cosines, temperature: softmax_over(
            above_lowest(-cosines, usable), temperature, usable
        ),
        cosines,
        temperature,
    )
    lengths = length, per_length, step, per_step, safe_inverse(own_length)
    return jnp.sum(transitions * misses, axis=0), (pull_back, transitions, cosines, lengths)


def _expected_miss_backward(
    residuals: Any, loss_bar: Float[Array, " block"]
) -> tuple[Columns, Array, None, None]:
    """With ``c_j`` what the cosine gets of the slopes ``s_j / |p|l``, and l the largest ``|d_j|``.

    ``d_j . p`` gets ``c_j l / |d_j|``, ``|d_j|^2`` gets ``-c_j l cos_j |p| / 2 |d_j|^2``. The
    factors are ratios of two lengths, so that no square leaves the range of floats.
    """
    pull_back, transitions, cosines, lengths = residuals
    length, per_length, step, per_step, per_own_length = lengths
    longest = jnp.max(length, axis=0)[None]
    slopes = length * safe_inverse(longest) * (length * per_step - 2 * cosines)
    by_cosine, by_temperature = pull_back(slopes * loss_bar[None])
    by_inner = by_cosine * (longest * per_length)
    by_square = -by_inner * cosines * (step * per_length) / 2
    turns = jnp.sum(by_cosine * step * cosines, axis=0)
    by_own_square = -turns * (longest * per_own_length * per_own_length)[0] / 2
    products_bar = (by_square, by_inner, transitions * loss_bar[None], by_own_square)
    return products_bar, by_temperature * step[0] * longest[0], None, None


_expected_miss.defvjp(_expected_miss_forward, _expected_miss_backward)
