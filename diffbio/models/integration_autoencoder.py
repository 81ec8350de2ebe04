"""An autoencoder that integrates batches and clusters cells."""

import jax
import jax.numpy as jnp
from flax import nnx
from jaxtyping import Array, Float, Integer

from diffbio import _checks
from diffbio._types import AnyArray, StaticInteger
from diffbio.models._inputs import features_and_batches
from diffbio.models._model import Model
from diffbio.models._prototypes import Prototypes

__all__ = ["IntegrationAutoencoder"]


class IntegrationAutoencoder(Model):
    r"""Embeds cells free of their batch, and reconstructs them with it.

    Models features as a function of a cell's state and its batch, after Lopez et al., Deep
    generative modeling for single-cell transcriptomics, Nature Methods 15, 2018, here
    without its sampling. Encoder and decoder see the batch and have one hidden layer each.

    .. math:: z = f(x, b), \quad \hat x = g(z, b),
        \quad q_{ik} = \operatorname*{softmax}_k \, -\lambda \lVert z_i - \mu_k \rVert^2

    Args:
        n_features: number of features, such as principal components.
        n_batches: number of batches.
        n_clusters: number of clusters.
        n_hidden: width of the hidden layers.
        n_embedding: dimensions of the embedding.
        rngs: random numbers for the parameters.

    Raises:
        ValueError, TypeError: a size that is no integer of at least 1.

    Example:
        >>> import jax.numpy as jnp
        >>> from flax import nnx
        >>> model = IntegrationAutoencoder(5, 2, 3, rngs=nnx.Rngs(0))
        >>> data = {"features": jnp.ones((4, 5)), "batch_ids": jnp.array([0, 1, 1, 0])}
        >>> result, _, _ = model.apply(data, {}, None)
        >>> {name: array.shape for name, array in result.items()}
        {'embeddings': (4, 10), 'assignments': (4, 3), 'reconstructed': (4, 5)}
    """

    inputs = ("features", "batch_ids")

    def __init__(
        self,
        n_features: StaticInteger,
        n_batches: StaticInteger,
        n_clusters: StaticInteger,
        *,
        n_hidden: StaticInteger = 64,
        n_embedding: StaticInteger = 10,
        rngs: nnx.Rngs,
    ) -> None:
        self.n_features = _checks.positive_integer("n_features", n_features)
        self.n_batches = _checks.positive_integer("n_batches", n_batches)
        n_clusters = _checks.positive_integer("n_clusters", n_clusters)
        n_hidden = _checks.positive_integer("n_hidden", n_hidden)
        n_embedding = _checks.positive_integer("n_embedding", n_embedding)
        self.encoder = _layers(self.n_features + self.n_batches, n_hidden, n_embedding, rngs)
        self.decoder = _layers(n_embedding + self.n_batches, n_hidden, self.n_features, rngs)
        self.prototypes = Prototypes(n_clusters, n_embedding, rngs=rngs)

    def __call__(
        self,
        features: Float[AnyArray, "n_cells n_features"],
        batch_ids: Integer[AnyArray, " n_cells"],
    ) -> dict[str, Array]:
        """Embed, assign and reconstruct cells.

        Args:
            features: ``(n_cells, n_features)`` floating, scaled to a variance near 1.
            batch_ids: ``(n_cells,)`` integers in ``[0, n_batches)``. Under ``jit`` another
                label stands for no batch.

        Returns:
            ``embeddings``, ``(n_cells, n_embedding)``; ``assignments``, ``(n_cells,
            n_clusters)``, whose rows have the sum 1; ``reconstructed`` features.
        """
        features, batch_ids = features_and_batches(
            features, batch_ids, self.n_features, self.n_batches
        )
        batches = jax.nn.one_hot(batch_ids, self.n_batches, dtype=features.dtype)
        embeddings = self.encoder(jnp.concatenate([features, batches], axis=1))
        return {
            "embeddings": embeddings,
            "assignments": self.prototypes(embeddings),
            "reconstructed": self.decoder(jnp.concatenate([embeddings, batches], axis=1)),
        }


def _layers(n_in: int, n_hidden: int, n_out: int, rngs: nnx.Rngs) -> nnx.Sequential:
    hidden = nnx.Linear(n_in, n_hidden, rngs=rngs)
    return nnx.Sequential(hidden, nnx.relu, nnx.Linear(n_hidden, n_out, rngs=rngs))
