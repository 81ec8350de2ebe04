"""Batch mixing: the entropy of the batches around each cell."""

from functools import partial

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int, Integer

from diffbio import _checks
from diffbio._numerics import (
    in_accumulation_dtype,
    mean_over_cells,
    zeroed,
)
from diffbio._shards import AxisName, fetched
from diffbio._types import AnyArray, Scalar, StaticInteger
from diffbio.functional._batch_configuration import (
    ScalarOrPerCell,
    check_batch_mixing_configuration,
    checked_perplexity,
)
from diffbio.functional._batch_proportions import (
    Proportions,
    check_expected_batches,
    checked_proportions,
    log_expected,
    observed_proportions,
)
from diffbio.functional._cell_mixing import cell_loss
from diffbio.functional._edge_units import of_points, of_temperature
from diffbio.functional._edges import Columns, Edges, edge_losses
from diffbio.functional._neighborhood import NeighborLists, listed_neighbors, neighborhood

__all__ = ["batch_mixing_loss"]


def batch_mixing_loss(
    embeddings: Float[AnyArray, "n_cells dim"],
    batch_labels: Integer[AnyArray, " n_cells"],
    *,
    n_batches: StaticInteger = 3,
    n_neighbors: StaticInteger = 15,
    temperature: Scalar = 1.0,
    normalize: bool = False,
    proportions: Proportions = "uniform",
    bandwidth: str = "global",
    perplexity: ScalarOrPerCell | None = None,
    index: str = "entropy",
    neighbor_indices: NeighborLists | None = None,
    where: Bool[AnyArray, " n_cells"] | None = None,
    block_size: StaticInteger | None = None,
    reduce: bool = True,
    axis_name: AxisName = None,
) -> Float[Array, "..."]:
    r"""Negative mean entropy of the batches among each cell's nearest neighbours.

    .. math::
        w_{ij} = \operatorname*{softmax}_{j \in N_k(i)} \frac{-\lVert x_i - x_j \rVert^2}{T_i},
        \quad p_{ib} = \sum_j w_{ij} [b_j = b],
        \quad L = \frac{1}{N} \sum_i \sum_b p_{ib} \ln \frac{p_{ib}}{B q_b}

    With uniform proportions q = 1 / B, the loss lies in ``[-ln B, 0]`` nats. It is **lowest
    when batches are mixed**, p = q: add it to an objective, do not negate it.

    Args:
        embeddings: ``(n_cells, dim)`` floating coordinates, any unit.
        batch_labels: ``(n_cells,)`` integers in ``[0, n_batches)``. Under ``jit``, where
            labels cannot be checked, a cell with another label counts for no batch.
        n_batches: number of batches B, static. With uniform proportions, cells are unmixed with
            a batch that is absent.
        n_neighbors: number of neighbours k, static; unused with ``neighbor_indices``.
        temperature: T, in the squared unit of the embedding; may be traced.
        normalize: static; divide by ``ln B``. Uniform proportions then give ``[-1, 0]``.
            Simpson's index is mapped to ``[0, 1]``.
        proportions: q, constants under differentiation. ``"uniform"``; ``"observed"``, the
            batches' shares of the counted cells, for batches of unequal size; or
            ``(n_batches,)`` numbers of sum 1. A cell with weight on a batch of q = 0 has
            an infinite loss.
        bandwidth: static. ``"global"``: ``T_i = T``. ``"local"``: ``T_i = T * mean_j
            |x_i - x_j|^2`` over the cell's neighbours; uniform weights if all those
            distances are 0. ``"perplexity"``: ``w = softmax(-|x_i - x_j| / T_i)``, of the
            distance that is not squared, with the T_i that gives w the entropy ``ln P``.
            The last two make the loss invariant to the scale of the embedding. For real
            cells ``"perplexity"`` with 30 neighbours and observed proportions is recommended.
        perplexity: P, more than 1 and less than the number of neighbours; may be traced.
            By default a third of the cell's own neighbours that carry weight. ``(n_cells,)``
            numbers of at least 1 give every cell its own.
        index: static. ``"entropy"``, or ``"simpson"`` for ``sum_b p_b^2`` in ``[1 / B, 1]``,
            lowest when batches are mixed too. It is 1 for a cell without neighbours.
        neighbor_indices: ``(n_cells, k')`` integers that replace the search, or the
            :class:`~diffbio.neighbors.Neighbors` that hold them. A row is a set: negative
            entries, the cell itself and repeats of an index are padding, which changes nothing.
        where: ``(n_cells,)`` mask; a masked cell is not counted and nobody's neighbour.
        block_size: rows searched at once, static; chosen from the shape by default.
        reduce: static; False returns the ``(n_cells,)`` per-cell losses (0 where masked).
        axis_name: static; the mesh's axis over which the cells lie in shards, inside of
            ``jax.shard_map``. See :mod:`diffbio.sharding`.

    Returns:
        Scalar, or ``(n_cells,)``, in ``promote_types(input, float32)``.

    Raises:
        ValueError: shapes that disagree, ``n_neighbors`` outside ``[1, n_cells)``, labels
            outside ``[0, n_batches)``, a non-positive or non-finite configuration,
            ``normalize`` with one batch, an unknown ``bandwidth`` or ``index``, proportions
            that are no distribution or 0 for a batch that has cells, a ``perplexity`` out of
            range or without its bandwidth, a ``temperature`` with it, ``"simpson"`` with
            other than uniform proportions.
        TypeError: non-floating embeddings, non-integer labels or neighbours, non-boolean mask.

    Gradient:
        Flows through the distances into both ends of each edge; the neighbour sets are
        held fixed. They are piecewise constant: where one changes (a set of measure
        zero) the loss jumps. Zero through a batch with p = 0. With a perplexity it flows
        through T_i too, by the implicit function theorem; a distance of 0 has none.
        Where no T_i gives the perplexity, weights have no gradient: they are uniform over
        neighbours that are too few, or over the nearest ones if P or more are equally
        near. Reverse mode only; second derivatives by forward over reverse mode, as in
        ``jax.hessian``. Reverse over reverse fails inside JAX's loops for more than a few
        hundred cells.

    Example:
        LISI, cell by cell, as the R package and scib-metrics define it:

        >>> import jax.numpy as jnp
        >>> x, labels = jnp.array([[0.0], [1.0], [3.0], [7.0], [8.0]]), jnp.array([0, 1, 0, 1, 0])
        >>> simpson = batch_mixing_loss(
        ...     x, labels, n_batches=2, n_neighbors=3, bandwidth="perplexity", perplexity=2,
        ...     index="simpson", reduce=False,
        ... )
        >>> (1 / simpson).shape
        (5,)

    References:
        Korsunsky et al., Nature Methods 16, 2019: LISI, the local inverse Simpson's index.
        The default is its entropy form, with weights of a fixed temperature.
    """
    embeddings = _checks.floating("embeddings", embeddings, ("n_cells", "dim"))
    n_batches, n_neighbors, block_size = check_batch_mixing_configuration(
        n_batches=n_batches,
        n_neighbors=n_neighbors,
        temperature=temperature,
        normalize=normalize,
        proportions=proportions,
        bandwidth=bandwidth,
        perplexity=perplexity,
        index=index,
        block_size=block_size,
    )
    _checks.flag("reduce", reduce)
    where = _checks.mask(where, embeddings.shape[0])
    batch_labels = _checks.batch_labels(batch_labels, n_batches, where)
    _checks.same_axis("n_cells", {"embeddings": (embeddings, 0), "batch_labels": (batch_labels, 0)})
    listed = listed_neighbors(neighbor_indices, n_neighbors, embeddings, axis_name)
    width: ScalarOrPerCell | None = _checks.positive("temperature", temperature)
    if bandwidth == "perplexity":
        width = checked_perplexity(perplexity, n_neighbors, listed, where, embeddings.shape[0])
    target = checked_proportions(proportions, n_batches)
    check_expected_batches(batch_labels, target, where)
    return _batch_mixing_loss(
        embeddings,
        batch_labels,
        width,
        None if isinstance(target, str) else target,
        listed,
        where,
        n_batches=n_batches,
        n_neighbors=n_neighbors,
        normalize=normalize,
        observed=isinstance(target, str) and target == "observed",
        bandwidth=bandwidth,
        index=index,
        block_size=block_size,
        reduce=reduce,
        axis_name=axis_name,
    )


@partial(
    jax.jit,
    static_argnames=(
        "n_batches",
        "n_neighbors",
        "normalize",
        "observed",
        "bandwidth",
        "index",
        "block_size",
        "reduce",
        "axis_name",
    ),
)
def _batch_mixing_loss(
    embeddings: Float[Array, "n_cells dim"],
    batch_labels: Int[Array, " n_cells"],
    width: ScalarOrPerCell | None,
    proportions: Float[Array, " n_batches"] | None,
    listed: Int[Array, "n_cells n_listed"] | None,
    where: Bool[Array, " n_cells"] | None,
    *,
    n_batches: int,
    n_neighbors: int,
    normalize: bool,
    observed: bool,
    bandwidth: str,
    index: str,
    block_size: int | None,
    reduce: bool,
    axis_name: AxisName,
) -> Float[Array, "..."]:
    """``width`` is the temperature or the perplexity, as the bandwidth wants it.

    None is a perplexity of a third of the cell's neighbours that carry weight.
    """
    (x,) = in_accumulation_dtype(zeroed(embeddings, where))
    neighbors, usable = neighborhood(
        x, listed, where, n_neighbors=n_neighbors, block_size=block_size, axis_name=axis_name
    )
    if width is None:
        width = jnp.sum(usable, axis=1, dtype=x.dtype) / 3
    else:
        width = jnp.asarray(width, x.dtype)
    if bandwidth == "global":
        units, width = of_temperature(width)
    else:
        units = of_points(axis_name, x)  # The scale changes no weights.
    batches = _narrow(batch_labels, n_batches)
    per_cell: Columns = (batches,)
    if observed:
        proportions = observed_proportions(batches, where, n_batches, x.dtype, axis_name)
    if proportions is not None:
        per_cell = (batches, log_expected(proportions.astype(x.dtype), batches))
    losses = edge_losses(
        partial(
            cell_loss, n_batches=n_batches, normalize=normalize, bandwidth=bandwidth, index=index
        ),
        (x,),
        (jnp.broadcast_to(width, len(x)),),
        Edges(neighbors, (usable, *fetched(per_cell, neighbors, axis_name)), units),
        axis_name,
    )
    return mean_over_cells(losses, where, axis_name) if reduce else zeroed(losses, where)


def _narrow(batch_labels: Int[Array, " n_cells"], n_batches: int) -> Int[Array, " n_cells"]:
    """The labels, -1 for unknown batches, in one byte if they fit: each edge gathers one."""
    known = (batch_labels >= 0) & (batch_labels < n_batches)
    dtype = jnp.int8 if n_batches <= 128 else jnp.int32
    return jnp.where(known, batch_labels, -1).astype(dtype)
