"""A corrector that is trained against a classifier of its cells' batches."""

from typing import Any

import jax.numpy as jnp
import optax
from flax import nnx
from jax import lax
from jaxtyping import Array

from diffbio.models import BatchCorrector

__all__ = ["AdversarialCorrector", "confusion"]

_N_HIDDEN = 64


class AdversarialCorrector(BatchCorrector):
    """The corrector with a classifier that sees the corrected cells.

    The classifier learns to name the batch, and its gradient reaches the corrector with the
    other sign, after Ganin et al., Domain-adversarial training of neural networks, JMLR 17, 2016.
    """

    def __init__(self, n_features: int, n_batches: int, *, rngs: nnx.Rngs) -> None:
        super().__init__(n_features, n_batches, rngs=rngs)
        self.seen = nnx.Linear(n_features, _N_HIDDEN, rngs=rngs)
        self.named = nnx.Linear(_N_HIDDEN, n_batches, rngs=rngs)

    def __call__(self, features: Any, batch_ids: Any) -> dict[str, Array]:
        """``corrected_features``, and the classifier's ``logits``."""
        result = super().__call__(features, batch_ids)
        corrected = result["corrected_features"]
        reversed_ = 2 * lax.stop_gradient(corrected) - corrected
        return {**result, "logits": self.named(nnx.relu(self.seen(reversed_)))}


def confusion(logits: Array, batches: Array, where: Array) -> Array:
    """The classifier's cross-entropy: it descends, the corrector ascends."""
    losses = optax.softmax_cross_entropy_with_integer_labels(logits, jnp.asarray(batches))
    return jnp.sum(losses, where=where) / jnp.sum(where)
