"""What batch mixing divides a cell's distances to its neighbours by: a choice of three kinds.

A number is the temperature of all cells. The two others follow from the distances of each cell,
so that the loss does not depend on the unit of the embedding.
"""

from dataclasses import dataclass, fields
from typing import Any, TypeAlias, TypeVar

import jax
from jaxtyping import Float

from diffbio._types import AnyArray, Scalar

__all__ = ["Local", "Perplexity", "Temperature"]


# What JAX, NNX and PyTorch put in the place of a number while they take a tree apart.
Leaf: TypeAlias = Any

Kind = TypeVar("Kind", bound=type)


def _as_tree(kind: Kind) -> Kind:
    """The dataclass as a tree of its only field.

    ``jax.tree_util.register_dataclass`` does the same, but to JAX 0.10 the trees of two dataclasses
    that it registered are equal, whatever their types.
    """
    (field,) = fields(kind)
    key = jax.tree_util.GetAttrKey(field.name)
    jax.tree_util.register_pytree_with_keys(
        kind,
        lambda temperature: (((key, getattr(temperature, field.name)),), None),
        lambda _, leaves: kind(*leaves),
    )
    return kind


@_as_tree
@dataclass(frozen=True)
class Local:
    """The cell's own temperature ``T_i = scale * mean_j |x_i - x_j|^2`` over its neighbours.

    Weights are uniform where all these distances are 0. The gradient flows through T_i.

    Attributes:
        scale: dimensionless, finite and above 0; may be traced.

    Example:
        >>> import jax.numpy as jnp
        >>> from diffbio.functional import batch_mixing_loss
        >>> x, labels = jnp.array([[0.0], [1.0], [3.0], [7.0]]), jnp.array([0, 1, 0, 1])
        >>> def loss(x):
        ...     return batch_mixing_loss(x, labels, n_batches=2, n_neighbors=2, temperature=Local())
        >>> round(float(loss(1000 * x) - loss(x)), 4)
        0.0
    """

    scale: Scalar | Leaf = 1.0


@_as_tree
@dataclass(frozen=True)
class Perplexity:
    """The T_i with which the weights of a cell's neighbours have the entropy ``ln P``.

    The weights are then ``softmax(-|x_i - x_j| / T_i)``, of the distance that is not squared, as
    in t-SNE and LISI. The gradient flows through T_i, by the implicit function theorem.

    Attributes:
        perplexity: P, more than 1 and less than the number of neighbours; may be traced. By
            default a third of the cell's own neighbours that carry weight. ``(n_cells,)``
            numbers of at least 1 give every cell its own.

    Example:
        >>> import jax.numpy as jnp
        >>> from diffbio.functional import batch_mixing_loss
        >>> x, labels = jnp.array([[0.0], [1.0], [3.0], [7.0]]), jnp.array([0, 1, 0, 1])
        >>> mixing = batch_mixing_loss(
        ...     x, labels, n_batches=2, n_neighbors=2, temperature=Perplexity(1.5)
        ... )
        >>> round(float(mixing), 4)
        -0.3041
    """

    perplexity: Scalar | Float[AnyArray, " n_cells"] | Leaf | None = None


Temperature: TypeAlias = Scalar | Local | Perplexity
