"""Two compiled programs for a loss: its value with what a gradient needs, and the gradient."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple

import jax
from jaxtyping import Array, PyTree

__all__ = ["Arguments", "Signature", "gradients", "value_and_pullback"]

# One entry per leaf of a loss's arguments, None where the leaf is in another list.
Leaves = Sequence[Any]


class Arguments(NamedTuple):
    """The leaves of the arguments that are traced.

    Attributes:
        differentiated: arrays that a gradient is taken for.
        constant: other arrays, and floating numbers, which may change without a new program.
    """

    differentiated: Leaves
    constant: Leaves


class Signature(NamedTuple):
    """What a program is compiled for, beside shapes and dtypes.

    Attributes:
        loss: a function of ``diffbio.functional``.
        structure: the tree of its keyword arguments.
        static: its leaves that are part of the program: names, flags, integers.
    """

    loss: Callable[..., Any]
    structure: Any
    static: Leaves

    def __call__(self, arguments: Arguments) -> Any:
        """The loss of the arguments."""
        leaves = [
            next((leaf for leaf in parts if leaf is not None), None)
            for parts in zip(*arguments, self.static, strict=True)
        ]
        return self.loss(**jax.tree.unflatten(self.structure, leaves))


@jax.tree_util.register_static
@dataclass(frozen=True)
class _Input:
    """Stands in the pullback for an input, which a program would return as a copy."""

    position: int


@partial(jax.tree_util.register_dataclass, data_fields=["residuals"], meta_fields=["structure"])
@dataclass(frozen=True)
class Pullback:
    """The linear map from cotangents to gradients, without the inputs."""

    residuals: list[Any]
    structure: Any


@partial(jax.jit, static_argnums=0)
def value_and_pullback(signature: Signature, arguments: Arguments) -> tuple[PyTree, Pullback]:
    """The value, and what :func:`gradients` needs beside the arguments."""
    value, pullback = jax.vjp(
        lambda differentiated: signature(arguments._replace(differentiated=differentiated)),
        arguments.differentiated,
    )
    positions = {id(leaf): position for position, leaf in enumerate(jax.tree.leaves(arguments))}
    residuals, structure = jax.tree.flatten(pullback)
    kept = [_Input(positions[id(r)]) if id(r) in positions else r for r in residuals]
    return value, Pullback(kept, structure)


@jax.jit
def gradients(pullback: Pullback, arguments: Arguments, cotangents: PyTree) -> list[Array]:
    """The gradients with respect to the differentiated arguments."""
    inputs = jax.tree.leaves(arguments)
    residuals = [inputs[r.position] if isinstance(r, _Input) else r for r in pullback.residuals]
    return jax.tree.leaves(jax.tree.unflatten(pullback.structure, residuals)(cotangents))
