"""A clustering model: an embedding and soft assignments to learned prototypes."""

from flax import nnx
from jaxtyping import Array, Float

from diffbio import _checks
from diffbio._types import AnyArray, StaticInteger
from diffbio.models._inputs import features_of
from diffbio.models._model import Model
from diffbio.models._prototypes import Prototypes

__all__ = ["SoftClusterer"]


class SoftClusterer(Model):
    r"""Embeds cells linearly and assigns them softly to learned prototypes.

    Models cell types as points of an embedding, after Xie et al., Unsupervised deep
    embedding for clustering analysis, ICML 2016. The embedding is linear: a network could
    put any cells together.

    .. math:: z = W x + c, \quad q_{ik} \propto \frac{1}{1 + \lVert z_i - \mu_k \rVert^2}

    Args:
        n_features: number of features, such as principal components.
        n_clusters: number of clusters.
        n_embedding: dimensions of the embedding.
        rngs: random numbers for the parameters.

    Raises:
        ValueError, TypeError: a size that is no integer of at least 1.

    Example:
        >>> import jax.numpy as jnp
        >>> from flax import nnx
        >>> model = SoftClusterer(5, 3, rngs=nnx.Rngs(0))
        >>> result, _, _ = model.apply({"features": jnp.ones((4, 5))}, {}, None)
        >>> result["embeddings"].shape, result["cluster_assignments"].shape
        ((4, 10), (4, 3))
    """

    inputs = ("features",)

    def __init__(
        self,
        n_features: StaticInteger,
        n_clusters: StaticInteger,
        *,
        n_embedding: StaticInteger = 10,
        rngs: nnx.Rngs,
    ) -> None:
        self.n_features = _checks.positive_integer("n_features", n_features)
        n_clusters = _checks.positive_integer("n_clusters", n_clusters)
        n_embedding = _checks.positive_integer("n_embedding", n_embedding)
        self.encoder = nnx.Linear(self.n_features, n_embedding, rngs=rngs)
        self.prototypes = Prototypes(n_clusters, n_embedding, rngs=rngs)

    def __call__(self, features: Float[AnyArray, "n_cells n_features"]) -> dict[str, Array]:
        """Embed and assign cells.

        Args:
            features: ``(n_cells, n_features)`` floating, scaled to a variance near 1.

        Returns:
            ``embeddings``, ``(n_cells, n_embedding)``, and ``cluster_assignments``,
            ``(n_cells, n_clusters)``, whose rows have the sum 1.
        """
        embeddings = self.encoder(features_of(features, self.n_features))
        return {"embeddings": embeddings, "cluster_assignments": self.prototypes(embeddings)}
