"""Soft assignment of cells to prototypes, which several models end in."""

import jax
import jax.numpy as jnp
from flax import nnx
from jaxtyping import Array, Float

__all__ = ["Prototypes"]


class Prototypes(nnx.Module):
    r"""One learned point per cluster; a cell belongs to those near it.

    .. math:: q_{ik} = \operatorname*{softmax}_k \, -\lambda \lVert z_i - \mu_k \rVert^2

    These are the responsibilities of a mixture of equal, round Gaussians. The precision
    :math:`\lambda` is learned too.

    Args:
        n_clusters: number of prototypes.
        n_dimensions: of the embedding.
        rngs: random numbers for where they start.
    """

    def __init__(self, n_clusters: int, n_dimensions: int, *, rngs: nnx.Rngs) -> None:
        spread = n_dimensions**-0.5
        self.points = nnx.Param(spread * rngs.params.normal((n_clusters, n_dimensions)))
        self.log_precision = nnx.Param(jnp.zeros((), jnp.float32))

    def __call__(
        self, embeddings: Float[Array, "n_cells dim"]
    ) -> Float[Array, "n_cells n_clusters"]:
        """Assignments, each row with sum 1."""
        differences = embeddings[:, None] - self.points[...]
        squares = jnp.sum(differences**2, axis=-1)
        return jax.nn.softmax(-jnp.exp(self.log_precision[...]) * squares, axis=1)
