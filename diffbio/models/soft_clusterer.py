"""A clustering model: an embedding and soft assignments to learned prototypes."""

from flax import nnx
from jaxtyping import Array, Float

from diffbio import _checks
from diffbio._types import AnyArray, StaticInteger
from diffbio.models._inputs import features_of
from diffbio.models._model import Model
from diffbio.models._prototypes import Prototypes
from diffbio.models._shift import Shift

__all__ = ["SoftClusterer"]


class SoftClusterer(Model):
    r"""Moves each cell by a function of its features and assigns it softly to prototypes.

    Models cell types as points of an embedding, after Xie et al., Unsupervised deep
    embedding for clustering analysis, ICML 2016. The embedding starts as the features.

    .. math:: z = x + W_2 \operatorname{relu}(W_1 x + c_1) + c_2,
        \quad q_{ik} = \operatorname*{softmax}_k \, -\lambda \lVert z_i - \mu_k \rVert^2

    An objective must hold the embedding to the features, or all cells end in few points.

    Args:
        n_features: number of features, such as principal components.
        n_clusters: number of clusters.
        n_hidden: width of the hidden layer.
        rngs: random numbers for the parameters.

    Raises:
        ValueError, TypeError: a size that is no integer of at least 1.

    Example:
        >>> import jax.numpy as jnp
        >>> from flax import nnx
        >>> model = SoftClusterer(5, 3, rngs=nnx.Rngs(0))
        >>> result, _, _ = model.apply({"features": jnp.ones((4, 5))}, {}, None)
        >>> result["embeddings"].shape, result["cluster_assignments"].shape
        ((4, 5), (4, 3))
    """

    inputs = ("features",)

    def __init__(
        self,
        n_features: StaticInteger,
        n_clusters: StaticInteger,
        *,
        n_hidden: StaticInteger = 64,
        rngs: nnx.Rngs,
    ) -> None:
        self.n_features = _checks.positive_integer("n_features", n_features)
        n_clusters = _checks.positive_integer("n_clusters", n_clusters)
        self.shift = Shift(self.n_features, self.n_features, n_hidden=n_hidden, rngs=rngs)
        self.prototypes = Prototypes(n_clusters, self.n_features, rngs=rngs)

    def __call__(self, features: Float[AnyArray, "n_cells n_features"]) -> dict[str, Array]:
        """Embed and assign cells.

        Args:
            features: ``(n_cells, n_features)`` floating, scaled to a total variance near 1.

        Returns:
            ``embeddings``, ``(n_cells, n_features)``, and ``cluster_assignments``,
            ``(n_cells, n_clusters)``, whose rows have the sum 1.
        """
        features = features_of(features, self.n_features)
        embeddings = features + self.shift(features)
        return {"embeddings": embeddings, "cluster_assignments": self.prototypes(embeddings)}
