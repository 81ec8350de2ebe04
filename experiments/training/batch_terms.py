"""Terms that ask for mixed batches: ours, and those that other methods train with.

Each takes the points of a minibatch, their batches, the number of batches and the mask of the
cells that count, and falls as the batches mix. What the others need is written here, since no
package has them with masks; the transport is OTT's.
"""

from collections.abc import Callable
from typing import Any

import jax.numpy as jnp
from jax import lax
from jax.nn import one_hot
from jaxtyping import Array
from ott.tools.sinkhorn_divergence import sinkdiv

from diffbio.functional import batch_mixing_loss

__all__ = ["BatchTerm", "hsic", "mixing", "mmd", "sinkhorn"]

BatchTerm = Callable[[Array, Array, int, Array], Array]

_MOST_ITERATIONS = 30


def mixing(points: Array, batches: Array, n_batches: int, where: Array, **options: Any) -> Array:
    """Our batch mixing loss, with options."""
    return batch_mixing_loss(points, batches, n_batches=n_batches, where=where, **options)


def mmd(points: Array, batches: Array, n_batches: int, where: Array) -> Array:
    """The mean squared maximum mean discrepancy between each batch and the others.

    Gretton et al., A kernel two-sample test, JMLR 13, 2012.
    """
    own, others = _memberships(batches, n_batches, where)
    return _mean_form(own - others, _kernel(points, where))


def hsic(points: Array, batches: Array, n_batches: int, where: Array) -> Array:
    """The Hilbert-Schmidt independence criterion between points and batches.

    Gretton et al., Measuring statistical dependence with Hilbert-Schmidt norms, ALT 2005.
    """
    counted = where[:, None].astype(points.dtype)
    labels = one_hot(batches, n_batches, dtype=points.dtype) * counted
    n_cells = jnp.sum(counted)
    centred = (labels - jnp.sum(labels, axis=0) / n_cells) * counted
    return n_batches * _mean_form(centred.T / n_cells, _kernel(points, where))


def sinkhorn(points: Array, batches: Array, n_batches: int, where: Array) -> Array:
    """The mean Sinkhorn divergence between each batch and the others.

    Feydy et al., Interpolating between optimal transport and MMD, AISTATS 2019.
    """
    own, others = _memberships(batches, n_batches, where)
    options = {"max_iterations": _MOST_ITERATIONS, "threshold": 1e-2}
    divergences = [
        sinkdiv(points, points, a=own[b], b=others[b], solve_kwargs=options)[0]
        for b in range(n_batches)
    ]
    return jnp.mean(jnp.stack(divergences))


def _memberships(batches: Array, n_batches: int, where: Array) -> tuple[Array, Array]:
    """Weights of each batch's cells and of all others, ``(n_batches, n_cells)``, rows of sum 1."""
    own = (one_hot(batches, n_batches) * where[:, None]).T
    others = where[None] - own
    return tuple(  # type: ignore[return-value]
        rows / jnp.maximum(jnp.sum(rows, axis=1, keepdims=True), 1) for rows in (own, others)
    )


def _kernel(points: Array, where: Array) -> Array:
    """A sum of Gaussian kernels of widths 2, 1 and 1/2 times the mean squared distance.

    The narrower ones are powers of the widest, so that there is one exponential.
    """
    centred = points - jnp.mean(points, axis=0)
    norms = jnp.sum(centred**2, axis=1)
    squares = jnp.maximum(norms[:, None] + norms - 2 * centred @ centred.T, 0)
    pairs = where[:, None] & where
    mean = lax.stop_gradient(jnp.sum(squares, where=pairs) / jnp.sum(pairs))
    widest = jnp.exp(-squares / (2 * mean))
    return widest + widest**2 + widest**4


def _mean_form(rows: Array, kernel: Array) -> Array:
    return jnp.mean(jnp.sum((rows @ kernel) * rows, axis=1))
