"""One update of a model and its optimizer, as a function of arrays alone."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import optax
from flax import nnx
from jaxtyping import Array, Bool

from diffbio.training._minibatches import rows_of

__all__ = ["Objective", "Update"]

Objective = Callable[[dict[str, Array], dict[str, Array], Bool[Array, " batch_size"]], Array]


class Update:
    """The update of a model by Adam on one minibatch.

    :meth:`update` has no side effect: it may be jitted, lowered and compiled.

    Args:
        model: the model to start from; it is left as it is.
        objective: what to minimise, as in :func:`fit`.
        learning_rate: Adam's.

    Attributes:
        leaves: the arrays of model and optimizer before the first step.
        learning_rate: Adam's.

    Example:
        >>> import jax.numpy as jnp
        >>> from diffbio.models import VelocityModel
        >>> def objective(result, batch, where):
        ...     return jnp.sum(where * jnp.sum(result["velocity"] ** 2, axis=1))
        >>> cells = {"spliced": jnp.ones((4, 2)), "unspliced": jnp.ones((4, 2))}
        >>> first = Update(VelocityModel(2), objective, learning_rate=1e-3)
        >>> leaves, (loss, finite) = first.update(first.leaves, cells, None, jnp.ones(4, bool))
        >>> bool(finite)
        True
    """

    def __init__(self, model: nnx.Module, objective: Objective, learning_rate: float) -> None:
        optimizer = nnx.Optimizer(model, optax.adam(learning_rate), wrt=nnx.Param)
        self.learning_rate = learning_rate
        self._objective = objective
        self._graph, state = nnx.split((model, optimizer))
        self.leaves, self._structure = jax.tree.flatten(state)

    def update(
        self,
        leaves: Sequence[Array],
        cells: Mapping[str, Array],
        rows: Array | None,
        where: Array,
    ) -> tuple[list[Array], tuple[Array, Array]]:
        """The updated arrays; the loss, and whether it and its gradient are finite.

        Args:
            leaves: the arrays of model and optimizer.
            cells: arrays by name, each with the cells along its first axis.
            rows: the cells of the minibatch; None if these are all cells.
            where: the cells of the minibatch that count.
        """
        model, optimizer = self._merged(leaves)
        batch = dict(cells) if rows is None else rows_of(cells, rows)

        def loss_of(model: Any) -> Array:
            result, _, _ = model.apply(batch, {}, None)
            return _scalar(self._objective(result, batch, where))

        loss, gradients = nnx.value_and_grad(loss_of)(model)
        optimizer.update(model, gradients)
        finite = [jnp.all(jnp.isfinite(array)) for array in (loss, *jax.tree.leaves(gradients))]
        return jax.tree.leaves(nnx.state((model, optimizer))), (loss, jnp.all(jnp.stack(finite)))

    def model(self, leaves: Sequence[Array]) -> Any:
        """A model of its own that holds the arrays."""
        return self._merged(leaves)[0]

    def _merged(self, leaves: Sequence[Array]) -> tuple[Any, nnx.Optimizer]:
        return nnx.merge(self._graph, jax.tree.unflatten(self._structure, leaves))


def _scalar(loss: Any) -> Array:
    """What an objective returned, if it can be minimised."""
    is_array = isinstance(loss, jax.Array)
    floating = is_array and jnp.issubdtype(loss.dtype, jnp.floating)
    if not (floating and loss.shape == ()):
        found = jax.typeof(loss) if is_array else type(loss).__name__
        raise TypeError(f"objective must return a floating scalar, got {found}")
    return loss
