"""How mixed the batches are: indices of the shares that they hold of a cell's weights.

With weights w that sum to 1, batch b holds the share ``p_b = sum_j w_j [b_j = b]``. The
gradients by the weights leave out what is the same for all weights: the derivative of a
softmax maps equal numbers to 0. What is left is 0 for the batch that has nearly all the
weight, so that nothing cancels there.
"""

from functools import partial

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int

__all__ = ["divergence", "simpson_excess"]

Weights = Float[Array, "k n_cells"]
Labels = Int[Array, "k n_cells"]
# The logarithms that are expected of the shares; none where all are 0.
Expected = tuple[Float[Array, " n_batches"], ...]


@partial(jax.custom_vjp, nondiff_argnums=(3,))
def divergence(
    weights: Weights, neighbor_labels: Labels, log_expected: Expected, n_batches: int
) -> Float[Array, " n_cells"]:
    """``sum_b p_b (ln p_b - l_b)``, with the expected logarithms l.

    A batch of weight 0 adds 0, though l may be infinite. The partial derivative by a weight of
    batch b is ``ln p_b - l_b + 1``, and 0 by one of an unknown batch. The gradient leaves out
    ``1 - l_h``, with h the heaviest batch.
    """
    return _divergence_forward(weights, neighbor_labels, log_expected, n_batches)[0]


def _divergence_forward(
    weights: Weights, neighbor_labels: Labels, log_expected: Expected, n_batches: int
) -> tuple[Float[Array, " n_cells"], tuple[Array, Array, Array]]:
    p, log_p = _shares_and_logarithms(weights, neighbor_labels, n_batches)
    expected, of_heaviest = _expected_of(p, log_expected)
    slopes = log_p - (expected - of_heaviest[None])
    return jnp.sum(p * (log_p - expected), axis=0), (slopes, of_heaviest, neighbor_labels)


def _expected_of(
    p: Float[Array, "n_batches n_cells"], log_expected: Expected
) -> tuple[Float[Array, "n_batches n_cells"], Float[Array, " n_cells"]]:
    """The expected logarithms, 0 for a batch of weight 0, and that of the heaviest batch."""
    if not log_expected:
        return jnp.zeros_like(p), jnp.zeros_like(p[0])
    (logarithms,) = log_expected
    expected = jnp.where(p == 0, 0, logarithms[:, None])
    heaviest = p == jnp.max(p, axis=0)[None]
    return expected, jnp.max(expected, axis=0, where=heaviest, initial=-jnp.inf)


def _divergence_backward(
    n_batches: int,
    residuals: tuple[Array, Array, Array],
    divergence_bar: Float[Array, " n_cells"],
) -> tuple[Weights, None, None]:
    slopes, of_heaviest, neighbor_labels = residuals
    slopes = _of_own_batch(slopes, neighbor_labels)
    slopes = jnp.where(neighbor_labels < 0, of_heaviest[None] - 1, slopes)
    return slopes * divergence_bar[None], None, None


divergence.defvjp(_divergence_forward, _divergence_backward)


@partial(jax.custom_vjp, nondiff_argnums=(2,))
def simpson_excess(
    weights: Weights, neighbor_labels: Labels, n_batches: int
) -> Float[Array, " n_cells"]:
    """``sum_b p_b^2 - 1 / B``: the inverse of LISI, less its value where batches are mixed.

    The difference cancels there. With o the weight of all unknown batches, it is computed as
    ``sum_b (p_b - 1 / B)^2 - 2 o / B``. The partial derivative by a weight of batch b is
    ``2 p_b``; the gradient leaves out twice the largest share.
    """
    return _simpson_forward(weights, neighbor_labels, n_batches)[0]


def _simpson_forward(
    weights: Weights, neighbor_labels: Labels, n_batches: int
) -> tuple[Float[Array, " n_cells"], tuple[Array, Array]]:
    p, _ = _shares(weights, neighbor_labels, n_batches)
    unknown = jnp.sum(jnp.where(neighbor_labels < 0, weights, 0), axis=0)
    excess = jnp.sum((p - 1 / n_batches) ** 2, axis=0) - unknown * (2 / n_batches)
    return excess, (p, neighbor_labels)


def _simpson_backward(
    n_batches: int, residuals: tuple[Array, Array], simpson_bar: Float[Array, " n_cells"]
) -> tuple[Weights, None]:
    """A weight of an unknown batch has the partial derivative 0."""
    p, neighbor_labels = residuals
    slopes = 2 * (_of_own_batch(p, neighbor_labels) - jnp.max(p, axis=0)[None])
    return slopes * simpson_bar[None], None


simpson_excess.defvjp(_simpson_forward, _simpson_backward)


def _shares(
    weights: Weights, neighbor_labels: Labels, n_batches: int
) -> tuple[Float[Array, "n_batches n_cells"], Float[Array, "n_batches n_cells"]]:
    """The weight of every batch, and of all others."""
    in_batch = _in_batch(neighbor_labels, n_batches)
    p = jnp.sum(jnp.where(in_batch, weights[None], 0), axis=1)
    return p, jnp.sum(jnp.where(in_batch, 0, weights[None]), axis=1)


def _shares_and_logarithms(
    weights: Weights, neighbor_labels: Labels, n_batches: int
) -> tuple[Float[Array, "n_batches n_cells"], Float[Array, "n_batches n_cells"]]:
    """``p`` and ``ln p`` of every batch; ``ln p`` is 0 for p = 0.

    Where one batch holds nearly all the weight, p rounds to 1 and its logarithm to 0.
    There ``ln p`` is ``log1p(-o)``, with o the weight of all *other* batches. It is written
    as ``o ln u / (1 - u)`` with ``u = 1 - o``, in which the rounding of u cancels. Value and
    gradient stay accurate however small the entropy, with one logarithm to compile.
    """
    p, others = _shares(weights, neighbor_labels, n_batches)
    dominant = p > 0.5
    u = jnp.where(dominant, 1 - others, jnp.where(p == 0, 1, p))
    log_u = jnp.log(u)
    log1p = jnp.where(u == 1, -others, others * log_u / jnp.where(u == 1, 1, 1 - u))
    return p, jnp.where(dominant, log1p, log_u)


def _in_batch(neighbor_labels: Labels, n_batches: int) -> Bool[Array, "n_batches k n_cells"]:
    batches = jnp.arange(n_batches, dtype=neighbor_labels.dtype)
    return neighbor_labels[None] == batches[:, None, None]


def _of_own_batch(by_batch: Float[Array, "n_batches n_cells"], neighbor_labels: Labels) -> Weights:
    """What belongs to the batch of each neighbour; 0 for an unknown batch."""
    in_batch = _in_batch(neighbor_labels, by_batch.shape[0])
    return jnp.sum(jnp.where(in_batch, by_batch[:, None], 0), axis=0)
