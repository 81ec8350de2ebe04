"""Batch mixing: the entropy of the batches around each cell."""

from functools import partial
from typing import Any

import jax
from jaxtyping import Array, Bool, Float, Int, Integer

from diffbio import _checks
from diffbio._numerics import in_accumulation_dtype, mean_over_cells, zeroed
from diffbio._shards import AxisName, values_at
from diffbio._types import AnyArray, StaticInteger
from diffbio.functional._edges.losses import Edges, edge_losses
from diffbio.functional._edges.neighborhood import NeighborLists, listed_neighbors, neighborhood
from diffbio.functional._mixing.cell import cell_loss
from diffbio.functional._mixing.proportions import (
    check_expected_batches,
    checked_proportions,
    known_batches,
    log_expected,
)
from diffbio.functional._mixing.settings import BatchMixingSettings, Proportions
from diffbio.functional._mixing.temperature import checked_perplexity, checked_temperature
from diffbio.functional._mixing.weights import number_per_cell, weights_for
from diffbio.functional.temperature import Perplexity, Temperature

__all__ = ["RECOMMENDED_MIXING", "batch_mixing_loss"]

RECOMMENDED_MIXING: dict[str, Any] = {
    "n_neighbors": 30,
    "temperature": Perplexity(),
    "proportions": "observed",
}
"""The setting of :func:`batch_mixing_loss` that is recommended for real cells.

It follows iLISI and kBET in every unit, corrects best, and does not over-correct where batches
differ in size.
"""


def batch_mixing_loss(
    embeddings: Float[AnyArray, "n_cells dim"],
    batch_labels: Integer[AnyArray, " n_cells"],
    *,
    n_batches: StaticInteger = 3,
    n_neighbors: StaticInteger = 15,
    temperature: Temperature = 1.0,
    normalize: bool = False,
    proportions: Proportions = "uniform",
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
        temperature: a number T for all cells, in the squared unit of the embedding, which may be
            traced; :class:`Local`, T_i in proportion to the cell's mean squared neighbour
            distance; or :class:`Perplexity`, the T_i that gives the weights a perplexity. The
            last two make the loss invariant to the scale of the embedding. For real cells
            :data:`RECOMMENDED_MIXING` is recommended.
        normalize: static; divide by ``ln B``. Uniform proportions then give ``[-1, 0]``.
            Simpson's index is mapped to ``[0, 1]``.
        proportions: q, constants under differentiation. ``"uniform"``; ``"observed"``, the
            batches' shares of the counted cells, for batches of unequal size; or
            ``(n_batches,)`` numbers of sum 1. A cell with weight on a batch of q = 0 has
            an infinite loss.
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
            ``normalize`` with one batch, an unknown ``index``, proportions that are no
            distribution or 0 for a batch that has cells, a perplexity out of range,
            ``"simpson"`` with other than uniform proportions.
        TypeError: non-floating embeddings, non-integer labels or neighbours, non-boolean mask, a
            temperature that is neither a number nor :class:`Local` or :class:`Perplexity`.

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
        ...     x, labels, n_batches=2, n_neighbors=3, temperature=Perplexity(2), index="simpson",
        ...     reduce=False,
        ... )
        >>> (1 / simpson).shape
        (5,)

    References:
        Korsunsky et al., Nature Methods 16, 2019: LISI, the local inverse Simpson's index.
        The default is its entropy form, with weights of a fixed temperature.
    """
    settings = BatchMixingSettings.of(
        n_batches=n_batches,
        n_neighbors=n_neighbors,
        normalize=normalize,
        proportions=proportions,
        index=index,
        block_size=block_size,
        reduce=reduce,
    )
    temperature = checked_temperature(temperature)
    numbers = checked_proportions(proportions, settings)
    embeddings = _checks.floating("embeddings", embeddings, ("n_cells", "dim"))
    n_cells = embeddings.shape[0]
    where = _checks.mask(where, n_cells)
    batch_labels = _checks.batch_labels(batch_labels, settings.n_batches, where)
    _checks.same_axis("n_cells", {"embeddings": (embeddings, 0), "batch_labels": (batch_labels, 0)})
    listed = listed_neighbors(neighbor_indices, settings.n_neighbors, embeddings, axis_name)
    checked_perplexity(temperature, settings.n_neighbors, listed, where, n_cells)
    check_expected_batches(batch_labels, numbers, where)
    batch_labels = _checks.as_int32(batch_labels)
    listed = None if listed is None else _checks.as_int32(listed)
    return _batch_mixing_loss(
        embeddings, batch_labels, temperature, numbers, listed, where, settings, axis_name
    )


@partial(jax.jit, static_argnames=("settings", "axis_name"))
def _batch_mixing_loss(
    embeddings: Float[Array, "n_cells dim"],
    batch_labels: Int[Array, " n_cells"],
    temperature: Temperature,
    proportions: Float[Array, " n_batches"] | None,
    listed: Int[Array, "n_cells n_listed"] | None,
    where: Bool[Array, " n_cells"] | None,
    settings: BatchMixingSettings,
    axis_name: AxisName,
) -> Float[Array, "..."]:
    (x,) = in_accumulation_dtype(zeroed(embeddings, where))
    # N_k(i), the neighbours of each cell, and which of them carry weight
    neighbors, usable = neighborhood(
        x, listed, where, settings.n_neighbors, settings.block_size, axis_name
    )
    # b_j of each neighbour j, and ln(B q_b) of each batch b
    batches = known_batches(batch_labels, settings.n_batches)
    labels = values_at(batches, neighbors, axis_name)
    expected = log_expected(proportions, batches, where, settings, x.dtype, axis_name)
    # w_ij = softmax_j(-|x_i - x_j|^2 / T_i),  p_ib = sum_j w_ij [b_j = b]
    units, number = number_per_cell(temperature, x, usable, axis_name)
    # L_i = sum_b p_ib ln(p_ib / (B q_b)), or sum_b p_ib^2
    mixing = partial(cell_loss, weights_of=weights_for(temperature), settings=settings)
    edges = Edges(neighbors, (usable, labels), units, expected)
    losses = edge_losses(mixing, (x,), (number,), edges, axis_name)
    return mean_over_cells(losses, where, axis_name) if settings.reduce else zeroed(losses, where)
