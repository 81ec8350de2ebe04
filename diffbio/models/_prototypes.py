"""Soft assignment of cells to prototypes, which several models end in."""

import jax.numpy as jnp
from flax import nnx
from jaxtyping import Array, Float

__all__ = ["Prototypes"]


class Prototypes(nnx.Module):
    r"""One learned point per cluster; a cell belongs to those near it.

    .. math:: q_{ik} \propto \frac{1}{1 + \lVert z_i - \mu_k \rVert^2}

    Student's t kernel of Xie et al., Unsupervised deep embedding for clustering analysis,
    ICML 2016: heavy tails, so that distant clusters keep a gradient.

    Args:
        n_clusters: number of prototypes.
        n_dimensions: of the embedding.
        rngs: random numbers for where they start.
    """

    def __init__(self, n_clusters: int, n_dimensions: int, *, rngs: nnx.Rngs) -> None:
        self.points = nnx.Param(rngs.params.normal((n_clusters, n_dimensions)))

    def __call__(
        self, embeddings: Float[Array, "n_cells dim"]
    ) -> Float[Array, "n_cells n_clusters"]:
        """Assignments, each row with sum 1."""
        differences = embeddings[:, None] - self.points[...]
        nearness = 1 / (1 + jnp.sum(differences**2, axis=-1))
        return nearness / jnp.sum(nearness, axis=1, keepdims=True)
