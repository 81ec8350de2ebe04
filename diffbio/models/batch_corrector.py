"""A residual corrector of batch effects."""

import jax
import jax.numpy as jnp
from flax import nnx
from jaxtyping import Array, Float, Integer

from diffbio import _checks
from diffbio._types import AnyArray, StaticInteger
from diffbio.models._inputs import features_and_batches
from diffbio.models._model import Model
from diffbio.models._shift import Shift

__all__ = ["BatchCorrector"]


class BatchCorrector(Model):
    r"""Moves each cell by a function of its features and its batch.

    Models a batch effect as a smooth shift of the features, after the residual networks
    of Shaham et al., Removal of batch effects using distribution-matching residual
    networks, Bioinformatics 33, 2017.

    .. math:: \hat x = x + W_2 \operatorname{relu}(W_1 [x, \operatorname{onehot}(b)] + c_1) + c_2

    :math:`W_2` and :math:`c_2` are 0 at first, so that the model starts as the identity.

    Args:
        n_features: number of features, such as principal components.
        n_batches: number of batches.
        n_hidden: width of the hidden layer.
        rngs: random numbers for the parameters.

    Raises:
        ValueError, TypeError: a size that is no integer of at least 1.

    Example:
        >>> import jax.numpy as jnp
        >>> from flax import nnx
        >>> model = BatchCorrector(2, 3, rngs=nnx.Rngs(0))
        >>> data = {"features": jnp.ones((4, 2)), "batch_ids": jnp.array([0, 1, 2, 0])}
        >>> result, _, _ = model.apply(data, {}, None)
        >>> result["corrected_features"].shape
        (4, 2)
    """

    inputs = ("features", "batch_ids")

    def __init__(
        self,
        n_features: StaticInteger,
        n_batches: StaticInteger,
        *,
        n_hidden: StaticInteger = 64,
        rngs: nnx.Rngs,
    ) -> None:
        self.n_features = _checks.positive_integer("n_features", n_features)
        self.n_batches = _checks.positive_integer("n_batches", n_batches)
        n_inputs = self.n_features + self.n_batches
        self.shift = Shift(n_inputs, self.n_features, n_hidden=n_hidden, rngs=rngs)

    def __call__(
        self,
        features: Float[AnyArray, "n_cells n_features"],
        batch_ids: Integer[AnyArray, " n_cells"],
    ) -> dict[str, Array]:
        """Correct the features of cells whose batches are known.

        Args:
            features: ``(n_cells, n_features)`` floating, any unit.
            batch_ids: ``(n_cells,)`` integers in ``[0, n_batches)``. Under ``jit`` another
                label stands for no batch.

        Returns:
            ``corrected_features``, ``(n_cells, n_features)``.
        """
        features, batch_ids = features_and_batches(
            features, batch_ids, self.n_features, self.n_batches
        )
        batches = jax.nn.one_hot(batch_ids, self.n_batches, dtype=features.dtype)
        shift = self.shift(jnp.concatenate([features, batches], axis=1))
        return {"corrected_features": features + shift}
