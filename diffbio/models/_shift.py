"""A smooth shift of cells, which the models that keep the space of their features learn."""

from flax import nnx
from jaxtyping import Array, Float

from diffbio import _checks
from diffbio._types import StaticInteger

__all__ = ["Shift"]


class Shift(nnx.Module):
    r"""One hidden layer, whose output is 0 at first.

    .. math:: W_2 \operatorname{relu}(W_1 x + c_1) + c_2, \quad W_2 = 0,\ c_2 = 0
        \text{ at first}

    Args:
        n_inputs: number of columns of ``x``.
        n_features: number of columns of the shift.
        n_hidden: width of the hidden layer.
        rngs: random numbers for the parameters.
    """

    def __init__(
        self,
        n_inputs: int,
        n_features: int,
        *,
        n_hidden: StaticInteger,
        rngs: nnx.Rngs,
    ) -> None:
        n_hidden = _checks.positive_integer("n_hidden", n_hidden)
        self.hidden = nnx.Linear(n_inputs, n_hidden, rngs=rngs)
        zeros = nnx.initializers.zeros_init()
        self.out = nnx.Linear(n_hidden, n_features, kernel_init=zeros, rngs=rngs)

    def __call__(self, inputs: Float[Array, "n_cells n_inputs"]) -> Array:
        """The shift of each cell, ``(n_cells, n_features)``."""
        return self.out(nnx.relu(self.hidden(inputs)))
