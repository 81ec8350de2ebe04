"""Compiled programs for a loss: its value with what a gradient needs, and the gradient."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, PyTree

from diffbio._calls import Program
from diffbio._known import InputCheck, collected_checks
from diffbio._numerics import in_accumulation_dtype

__all__ = ["Given", "Pullback", "evaluate", "gradients"]

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
class Checks:
    """Checks of the numbers that a program is given, which are made in every call."""

    checks: tuple[InputCheck, ...]

    def __call__(self, given: Given) -> None:
        """Raise for the first number that is not accepted."""
        inputs = given.merged() if self.checks else []
        for check in self.checks:
            check(inputs)


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
def evaluate(program: Program, given: Given) -> tuple[PyTree, list[Array] | Pullback, Checks]:
    """The value, its gradients, and the checks of what is given.

    The gradients of a single number are arrays; those of anything else are a pullback, which
    :func:`gradients` applies to cotangents. They are in float32 where the arrays are in half
    precision, so that none vanishes before it is multiplied by its cotangent.
    """
    checks: list[InputCheck] = []

    def value_of(differentiated: Entries) -> PyTree:
        inputs = given._replace(differentiated=differentiated).merged()
        with collected_checks(inputs) as found:
            value = program(inputs)
        checks.extend(found)
        return value

    wide = [None if d is None else in_accumulation_dtype(d)[0] for d in given.differentiated]
    if not jax.tree.leaves(wide):
        return value_of(wide), [], Checks(tuple(checks))
    value, pullback = jax.vjp(value_of, wide)
    if isinstance(value, jax.Array) and value.ndim == 0:
        return value, jax.tree.leaves(pullback(jnp.ones_like(value))), Checks(tuple(checks))
    positions = {id(leaf): position for position, leaf in enumerate(jax.tree.leaves(given))}
    residuals, structure = jax.tree.flatten(pullback)
    kept = [_Input(positions[id(r)]) if id(r) in positions else r for r in residuals]
    return value, Pullback(kept, structure), Checks(tuple(checks))


@jax.jit
def gradients(pullback: Pullback, given: Given, cotangents: PyTree) -> list[Array]:
    """The gradients with respect to the differentiated arrays."""
    inputs = jax.tree.leaves(given)
    residuals = [inputs[r.position] if isinstance(r, _Input) else r for r in pullback.residuals]
    return jax.tree.leaves(jax.tree.unflatten(pullback.structure, residuals)(cotangents))
