"""The batch mixing of one cell: weights of its neighbours, then an index of their batches."""

from collections.abc import Callable, Mapping

import jax.numpy as jnp
from jaxtyping import Array, Float

from diffbio._numerics import safe_ratio, softmax_over
from diffbio.functional._edges.losses import Columns
from diffbio.functional._mixing.index import entropy, expectation, simpson_excess
from diffbio.functional._mixing.perplexity import perplexity_weights

__all__ = ["cell_loss"]


def cell_loss(
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
        excess = simpson_excess(weights, neighbor_labels, n_batches)
        losses = excess / (1 - 1 / n_batches) if normalize else excess + 1 / n_batches
        # A cell without neighbours is not mixed.
        return jnp.where(jnp.any(usable, axis=0), losses, 1)
    losses = -entropy(weights, neighbor_labels, n_batches)
    for logs in expected:
        losses = losses - expectation(weights, logs)
    return losses / jnp.log(jnp.asarray(n_batches, losses.dtype)) if normalize else losses


def _global_weights(squared_distances: Array, temperature: Array, usable: Array) -> Array:
    """Softmax of ``-d^2 / T``; squares that overflowed are equally far, without a gradient."""
    overflowed = squared_distances == jnp.inf
    largest = jnp.finfo(squared_distances.dtype).max
    return softmax_over(jnp.where(overflowed, largest, squared_distances), temperature, usable)


def _local_weights(squared_distances: Array, temperature: Array, usable: Array) -> Array:
    """Softmax of ``-d^2 / (T mean d^2)`` of each cell's neighbours; uniform if all are 0."""
    distances = jnp.where(usable, squared_distances, 0)
    n_usable = jnp.sum(usable, axis=0, dtype=distances.dtype)
    mean = (jnp.sum(distances, axis=0) / jnp.maximum(n_usable, 1))[None]
    return softmax_over(safe_ratio(distances, mean), temperature, usable)


_WEIGHTS: Mapping[str, Callable[[Array, Array, Array], Array]] = {
    "global": _global_weights,
    "local": _local_weights,
    "perplexity": perplexity_weights,
}
