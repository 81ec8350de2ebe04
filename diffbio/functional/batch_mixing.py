"""Batch mixing: the entropy of the batches around each cell."""

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
from diffbio.functional._edges import Columns, Edges, edge_losses, unit_of
from diffbio.functional._neighborhood import NeighborLists, listed_neighbors, neighborhood

__all__ = ["batch_mixing_loss", "check_batch_mixing_configuration"]

BANDWIDTHS = ("global", "local")


def batch_mixing_loss(
    embeddings: Float[AnyArray, "n_cells dim"],
    batch_labels: Integer[AnyArray, " n_cells"],
    *,
    n_batches: StaticInteger = 3,
    n_neighbors: StaticInteger = 15,
    temperature: Scalar = 1.0,
    normalize: bool = False,
    bandwidth: str = "global",
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
        bandwidth=bandwidth,
        block_size=block_size,
    )
    _checks.flag("reduce", reduce)
    where = _checks.mask(where, embeddings.shape[0])
    batch_labels = _checks.batch_labels(batch_labels, n_batches, where)
    _checks.same_axis("n_cells", {"embeddings": (embeddings, 0), "batch_labels": (batch_labels, 0)})
    listed = listed_neighbors(neighbor_indices, n_neighbors, embeddings)
    return _batch_mixing_loss(
        embeddings,
        batch_labels,
        temperature,
        listed,
        where,
        n_batches=n_batches,
        n_neighbors=n_neighbors,
        normalize=normalize,
        bandwidth=bandwidth,
        block_size=block_size,
        reduce=reduce,
    )


def check_batch_mixing_configuration(
    *,
    n_batches: StaticInteger,
    n_neighbors: StaticInteger,
    temperature: Scalar,
    normalize: bool,
    bandwidth: str,
    block_size: StaticInteger | None,
) -> tuple[int, int, int | None]:
    """Raise for a configuration that no data could make valid; return its integers."""
    n_batches = _checks.positive_integer("n_batches", n_batches)
    n_neighbors = _checks.positive_integer("n_neighbors", n_neighbors)
    _checks.positive("temperature", temperature)
    _checks.flag("normalize", normalize)
    _checks.choice("bandwidth", bandwidth, BANDWIDTHS)
    if normalize and n_batches == 1:
        raise ValueError("normalize=True divides by ln(n_batches) and needs n_batches >= 2, got 1")
    return n_batches, n_neighbors, _checks.block_size(block_size)


@partial(
    jax.jit,
    static_argnames=(
        "n_batches",
        "n_neighbors",
        "normalize",
        "bandwidth",
        "block_size",
        "reduce",
    ),
)
def _batch_mixing_loss(
    embeddings: Float[Array, "n_cells dim"],
    batch_labels: Int[Array, " n_cells"],
    temperature: Scalar,
    listed: Int[Array, "n_cells n_listed"] | None,
    where: Bool[Array, " n_cells"] | None,
    *,
    n_batches: int,
    n_neighbors: int,
    normalize: bool,
    bandwidth: str,
    block_size: int | None,
    reduce: bool,
) -> Float[Array, "..."]:
    (x,) = in_accumulation_dtype(zeroed(embeddings, where))
    x, temperature = reverse_only("batch_mixing_loss", x, jnp.asarray(temperature, x.dtype))
    local = bandwidth == "local"
    neighbors, usable = neighborhood(
        x, listed, where, n_neighbors=n_neighbors, block_size=block_size
    )
    labels = (usable, _narrow(batch_labels, n_batches)[neighbors])
    losses = edge_losses(
        partial(_cell_loss, n_batches=n_batches, normalize=normalize, local=local),
        (x,),
        (jnp.broadcast_to(temperature, len(x)),),
        # The scale does not change a local loss, but squares may leave the float range.
        Edges(neighbors, labels, unit_of(x) if local else 1.0),
    )
    return mean_over_cells(losses, where) if reduce else zeroed(losses, where)


def _cell_loss(
    products: Columns,
    parameters: Columns,
    labels: Columns,
    *,
    n_batches: int,
    normalize: bool,
    local: bool,
) -> Float[Array, " block"]:
    """Minus the entropy of the neighbours' batches, for the cells of a block."""
    (squared_distances,), (temperature,), (usable, neighbor_labels) = products, parameters, labels
    energies = _over_local_mean(squared_distances, usable) if local else squared_distances
    weights = softmax_over(energies, temperature, usable)
    losses = -_batch_entropy(weights, neighbor_labels, n_batches)
    return losses / jnp.log(jnp.asarray(n_batches, losses.dtype)) if normalize else losses


def _over_local_mean(squared_distances: Array, usable: Array) -> Array:
    """``d^2 / mean d^2`` of each cell's neighbours; 0 if all are 0."""
    distances = jnp.where(usable, squared_distances, 0)
    n_usable = jnp.sum(usable, axis=0, dtype=distances.dtype)
    mean = (jnp.sum(distances, axis=0) / jnp.maximum(n_usable, 1))[None]
    return safe_ratio(distances, mean)


def _narrow(batch_labels: Int[Array, " n_cells"], n_batches: int) -> Int[Array, " n_cells"]:
    """The labels, -1 for unknown batches, in one byte if they fit: each edge gathers one."""
    known = (batch_labels >= 0) & (batch_labels < n_batches)
    dtype = jnp.int8 if n_batches <= 128 else jnp.int32
    return jnp.where(known, batch_labels, -1).astype(dtype)


@partial(jax.custom_vjp, nondiff_argnums=(2,))
def _batch_entropy(
    weights: Float[Array, "k n_cells"], neighbor_labels: Int[Array, "k n_cells"], n_batches: int
) -> Float[Array, " n_cells"]:
    """``-sum_b p_b ln p_b`` with ``p_b = sum_j w_j [b_j = b]``, for weights that sum to 1.

    The partial derivative by a weight of batch b is ``-ln p_b - 1``. The gradient is
    ``-ln p_b``, without the -1: it is the same for all weights, and the derivative of a
    softmax maps equal numbers to 0. Nothing then cancels where p is near 1.
    """
    p, log_p = _shares(weights, neighbor_labels, n_batches)
    return -jnp.sum(p * log_p, axis=0)


def _shares(
    weights: Float[Array, "k n_cells"], neighbor_labels: Int[Array, "k n_cells"], n_batches: int
) -> tuple[Float[Array, "n_batches n_cells"], Float[Array, "n_batches n_cells"]]:
    """``p`` and ``ln p`` of every batch, ``(n_batches, n_cells)``; ``ln p`` is 0 for p = 0.

    Where one batch holds nearly all the weight, p rounds to 1 and its logarithm to 0.
    There ``ln p`` is ``log1p(-o)``, with o the weight of all *other* batches. It is written
    as ``o ln u / (1 - u)`` with ``u = 1 - o``, in which the rounding of u cancels. Value and
    gradient stay accurate however small the entropy, with one logarithm to compile.
    """
    in_batch = _in_batch(neighbor_labels, n_batches)
    p = jnp.sum(jnp.where(in_batch, weights[None], 0), axis=1)
    others = jnp.sum(jnp.where(in_batch, 0, weights[None]), axis=1)
    dominant = p > 0.5
    u = jnp.where(dominant, 1 - others, jnp.where(p == 0, 1, p))
    log_u = jnp.log(u)
    log1p = jnp.where(u == 1, -others, others * log_u / jnp.where(u == 1, 1, 1 - u))
    return p, jnp.where(dominant, log1p, log_u)


def _in_batch(
    neighbor_labels: Int[Array, "k n_cells"], n_batches: int
) -> Bool[Array, "n_batches k n_cells"]:
    batches = jnp.arange(n_batches, dtype=neighbor_labels.dtype)
    return neighbor_labels[None] == batches[:, None, None]


def _batch_entropy_forward(
    weights: Float[Array, "k n_cells"], neighbor_labels: Int[Array, "k n_cells"], n_batches: int
) -> tuple[Float[Array, " n_cells"], tuple[Array, Array]]:
    p, log_p = _shares(weights, neighbor_labels, n_batches)
    return -jnp.sum(p * log_p, axis=0), (log_p, neighbor_labels)


def _batch_entropy_backward(
    n_batches: int, residuals: tuple[Array, Array], entropy_bar: Float[Array, " n_cells"]
) -> tuple[Float[Array, "k n_cells"], None]:
    """The partial derivatives without their -1; see ``_batch_entropy``.

    A weight of an unknown batch has the partial derivative 0, so that it gets 1 here.
    """
    log_p, neighbor_labels = residuals
    in_batch = _in_batch(neighbor_labels, n_batches)
    slopes = jnp.sum(jnp.where(in_batch, -log_p[:, None], 0), axis=0)
    return jnp.where(neighbor_labels < 0, 1, slopes) * entropy_bar[None], None


_batch_entropy.defvjp(_batch_entropy_forward, _batch_entropy_backward)
