"""The batch mixing of one cell, from the squared distances to its neighbours."""

import jax.numpy as jnp
from jaxtyping import Array, Float

from diffbio.functional._edges.losses import Columns
from diffbio.functional._mixing.index import divergence, simpson_excess
from diffbio.functional._mixing.settings import BatchMixingSettings
from diffbio.functional._mixing.weights import Weights

__all__ = ["cell_loss"]


def cell_loss(
    products: Columns,
    parameters: Columns,
    labels: Columns,
    *,
    weights_of: Weights,
    settings: BatchMixingSettings,
) -> Float[Array, " block"]:
    """How far the neighbours' batches are from mixed, for the cells of a block.

    With ``p_b = sum_j w_j [b_j = b]``, the share of batch b in the weights w of the neighbours:

        entropy:  L = sum_b p_b (ln p_b - ln(B q_b))
        simpson:  L = sum_b p_b^2
    """
    (squared_distances,), (number,) = products, parameters
    usable, neighbor_labels, *expected = labels
    n_batches = settings.n_batches
    w = weights_of(squared_distances, number, usable)
    if settings.index == "simpson":
        excess = simpson_excess(w, neighbor_labels, n_batches)
        losses = excess / (1 - 1 / n_batches) if settings.normalize else excess + 1 / n_batches
        # A cell without neighbours is not mixed.
        return jnp.where(jnp.any(usable, axis=0), losses, 1)
    losses = divergence(w, neighbor_labels, tuple(expected), n_batches)
    if settings.normalize:
        losses = losses / jnp.log(jnp.asarray(n_batches, losses.dtype))
    return losses
