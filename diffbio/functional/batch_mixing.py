"""Batch mixing: the entropy of the batches around each cell."""

from collections.abc import Callable, Mapping
from functools import partial

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int, Integer

from diffbio import _checks
from diffbio._derivatives import reverse_only
from diffbio._numerics import (
    in_accumulation_dtype,
    mean_over_cells,
    safe_ratio,
    softmax_over,
    zeroed,
)
from diffbio._types import AnyArray, Scalar, StaticInteger
from diffbio.functional._batch_configuration import (
    check_batch_mixing_configuration,
    checked_perplexity,
)
from diffbio.functional._batch_index import entropy, expectation, simpson
from diffbio.functional._batch_proportions import (
    Proportions,
    check_expected_batches,
    checked_proportions,
    log_expected,
    observed_proportions,
)
from diffbio.functional._edges import Columns, Edges, edge_losses, unit_of
from diffbio.functional._neighborhood import NeighborLists, listed_neighbors, neighborhood
from diffbio.functional._perplexity import perplexity_weights

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
    perplexity: Scalar | None = None,
    index: str = "entropy",
    neighbor_indices: NeighborLists | None = None,
    where: Bool[AnyArray, " n_cells"] | None = None,
    block_size: StaticInteger | None = None,
    reduce: bool = True,
) -> Float[Array, "..."]:
    r"""Negative mean entropy of the batches among each cell's nearest neighbours.

    .. math::
        w_{ij} = \operatorname*{softmax}_{j \in N_k(i)} \frac{-\lVert x_i - x_j \rVert^2}{T_i},
        \quad p_{ib} = \sum_j w_{ij} [b_j = b],
        \quad L = \frac{1}{N} \sum_i \sum_b p_{ib} \ln p_{ib}

    The loss lies in ``[-ln B, 0]`` nats and is **lowest when batches are mixed**: add
    it to an objective, do not negate it.

    Args:
        embeddings: ``(n_cells, dim)`` floating coordinates, any unit.
        batch_labels: ``(n_cells,)`` integers in ``[0, n_batches)``. Under ``jit``, where
            labels cannot be checked, a cell with another label counts for no batch.
        n_batches: number of batches B, static.
        n_neighbors: number of neighbours k, static; unused with ``neighbor_indices``.
        temperature: T, in the squared unit of the embedding; may be traced.
        normalize: divide by ``ln B``, static; the loss then lies in ``[-1, 0]``.
        bandwidth: static. ``"global"``: ``T_i = T``. ``"local"``: ``T_i = T * mean_j
            |x_i - x_j|^2`` over the cell's neighbours, which makes the loss invariant to
            the scale of the embedding; uniform weights if all those distances are 0.
        neighbor_indices: ``(n_cells, k')`` integers that replace the search, or the
            :class:`~diffbio.neighbors.Neighbors` that hold them. Negative entries and the
            cell itself are padding.
        where: ``(n_cells,)`` mask; a masked cell is not counted and nobody's neighbour.
        block_size: rows searched at once, static; chosen from the shape by default.
        reduce: static; False returns the ``(n_cells,)`` per-cell losses (0 where masked).

    Returns:
        Scalar, or ``(n_cells,)``, in ``promote_types(input, float32)``.

    Raises:
        ValueError: shapes that disagree, ``n_neighbors`` outside ``[1, n_cells)``, labels
            outside ``[0, n_batches)``, a non-positive or non-finite configuration,
            ``normalize`` with one batch, an unknown ``bandwidth``.
        TypeError: non-floating embeddings, non-integer labels or neighbours, non-boolean mask.

    Gradient:
        Flows through the distances into both ends of each edge; the neighbour sets are
        held fixed. They are piecewise constant: where one changes (a set of measure
        zero) the loss jumps. Zero through a batch with p = 0. Reverse mode only; second
        derivatives by forward over reverse mode, as in ``jax.hessian``. Reverse over
        reverse fails inside JAX's loops for more than a few hundred cells.

    References:
        The local inverse Simpson's index of Harmony (Korsunsky et al., Nature Methods
        16, 2019) measures the same mixing; this is its entropy form with soft weights.
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
    listed = listed_neighbors(neighbor_indices, n_neighbors, embeddings)
    width = temperature
    if bandwidth == "perplexity":
        width = checked_perplexity(perplexity, n_neighbors if listed is None else listed.shape[1])
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
    ),
)
def _batch_mixing_loss(
    embeddings: Float[Array, "n_cells dim"],
    batch_labels: Int[Array, " n_cells"],
    width: Scalar,
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
) -> Float[Array, "..."]:
    """``width`` is the temperature or the perplexity, as the bandwidth wants it."""
    (x,) = in_accumulation_dtype(zeroed(embeddings, where))
    x, width = reverse_only("batch_mixing_loss", x, jnp.asarray(width, x.dtype))
    neighbors, usable = neighborhood(
        x, listed, where, n_neighbors=n_neighbors, block_size=block_size
    )
    batches = _narrow(batch_labels, n_batches)
    labels: Columns = (usable, batches[neighbors])
    if observed:
        proportions = observed_proportions(batches, where, n_batches, x.dtype)
    if proportions is not None:
        labels = (*labels, log_expected(proportions.astype(x.dtype), batches)[neighbors])
    losses = edge_losses(
        partial(
            _cell_loss, n_batches=n_batches, normalize=normalize, bandwidth=bandwidth, index=index
        ),
        (x,),
        (jnp.broadcast_to(width, len(x)),),
        # The scale changes neither weights, but squares may leave the float range.
        Edges(neighbors, labels, 1.0 if bandwidth == "global" else unit_of(x)),
    )
    return mean_over_cells(losses, where) if reduce else zeroed(losses, where)


def _cell_loss(
    products: Columns,
    parameters: Columns,
    labels: Columns,
    *,
    n_batches: int,
    normalize: bool,
    bandwidth: str,
    index: str,
) -> Float[Array, " block"]:
    """How far the neighbours' batches are from mixed, for the cells of a block."""
    (squared_distances,), (width,) = products, parameters
    usable, neighbor_labels, *expected = labels
    weights = _WEIGHTS[bandwidth](squared_distances, width, usable)
    if index == "simpson":
        # A cell without neighbours is not mixed.
        losses = jnp.where(jnp.any(usable, axis=0), simpson(weights, neighbor_labels, n_batches), 1)
        return (losses - 1 / n_batches) / (1 - 1 / n_batches) if normalize else losses
    losses = -entropy(weights, neighbor_labels, n_batches)
    for logs in expected:
        losses = losses - expectation(weights, logs)
    return losses / jnp.log(jnp.asarray(n_batches, losses.dtype)) if normalize else losses


def _local_weights(squared_distances: Array, temperature: Array, usable: Array) -> Array:
    """Softmax of ``-d^2 / (T mean d^2)`` of each cell's neighbours; uniform if all are 0."""
    distances = jnp.where(usable, squared_distances, 0)
    n_usable = jnp.sum(usable, axis=0, dtype=distances.dtype)
    mean = (jnp.sum(distances, axis=0) / jnp.maximum(n_usable, 1))[None]
    return softmax_over(safe_ratio(distances, mean), temperature, usable)


_WEIGHTS: Mapping[str, Callable[[Array, Array, Array], Array]] = {
    "global": softmax_over,
    "local": _local_weights,
    "perplexity": perplexity_weights,
}


def _narrow(batch_labels: Int[Array, " n_cells"], n_batches: int) -> Int[Array, " n_cells"]:
    """The labels, -1 for unknown batches, in one byte if they fit: each edge gathers one."""
    known = (batch_labels >= 0) & (batch_labels < n_batches)
    dtype = jnp.int8 if n_batches <= 128 else jnp.int32
    return jnp.where(known, batch_labels, -1).astype(dtype)
