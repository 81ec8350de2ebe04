"""Two compiled programs for a loss: its value with what a gradient needs, and the gradient."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple

import jax
from jaxtyping import Array, PyTree

from diffbio._calls import Program

__all__ = ["Given", "gradients", "value_and_pullback"]

# An entry for everything that a program is given, None where it stands in another list.
Entries = Sequence[Any]


class Given(NamedTuple):
    """What a program is given.

    Attributes:
        differentiated: arrays that a gradient is taken for.
        constant: other arrays, and floating numbers.
    """

    differentiated: Entries
    constant: Entries

    def merged(self) -> list[Any]:
        """Both in one list."""
        return [c if d is None else d for d, c in zip(*self, strict=True)]


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
def value_and_pullback(program: Program, given: Given) -> tuple[PyTree, Pullback]:
    """The value, and what :func:`gradients` needs beside the inputs."""
    value, pullback = jax.vjp(
        lambda differentiated: program(given._replace(differentiated=differentiated).merged()),
        given.differentiated,
    )
    positions = {id(leaf): position for position, leaf in enumerate(jax.tree.leaves(given))}
    residuals, structure = jax.tree.flatten(pullback)
    kept = [_Input(positions[id(r)]) if id(r) in positions else r for r in residuals]
    return value, Pullback(kept, structure)


@jax.jit
def gradients(pullback: Pullback, given: Given, cotangents: PyTree) -> list[Array]:
    """The gradients with respect to the differentiated arrays."""
    inputs = jax.tree.leaves(given)
    residuals = [inputs[r.position] if isinstance(r, _Input) else r for r in pullback.residuals]
    return jax.tree.leaves(jax.tree.unflatten(pullback.structure, residuals)(cotangents))
