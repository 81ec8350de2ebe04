"""Calls of losses, split into what a program is given and what it is compiled for.

Arrays and floating numbers are given to a program: they may change without a new one. Whatever
else a call holds, such as integers, names, flags and functions, is part of the program.
"""

import functools
import inspect
import typing
from collections.abc import Callable, Mapping, Sequence
from dataclasses import fields, is_dataclass
from typing import Any, NamedTuple

import jax
import numpy as np

from diffbio._types import AnyArray

__all__ = ["Program", "axes_of", "is_given", "parameters_of", "split", "with_partials"]


class Program(NamedTuple):
    """A call of a loss without what its program is given.

    Attributes:
        static: for every leaf of the loss and its arguments the leaf, or ``_GIVEN``.
        structure: the tree of the loss and its arguments by name.
    """

    static: tuple[Any, ...]
    structure: Any

    def __call__(self, given: Sequence[Any], **further: Any) -> Any:
        """The result of the call with these arrays and numbers, in the order of :func:`split`."""
        left = iter(given)
        leaves = [next(left) if leaf is _GIVEN else leaf for leaf in self.static]
        loss, arguments = jax.tree.unflatten(self.structure, leaves)
        return loss(**arguments, **further)


class _Given:
    """Stands for a leaf that a program is given."""


_GIVEN = _Given()


def is_given(leaf: Any) -> bool:
    """Whether a leaf of a call is given to its program."""
    return isinstance(leaf, float | np.floating | AnyArray)


def split(
    loss: Callable[..., Any], arguments: Mapping[str, Any]
) -> tuple[Program, list[Any], list[str | None]]:
    """The call as a program, what it is given, and the argument that each of these belongs to.

    The argument is None for what the loss itself holds, such as a module its numbers.
    """
    leaves, structure = jax.tree.flatten_with_path((loss, with_partials(arguments)))
    names = [path[1].key if path[0].idx == 1 else None for path, leaf in leaves if is_given(leaf)]
    given = [leaf for _, leaf in leaves if is_given(leaf)]
    static = tuple(_GIVEN if is_given(leaf) else leaf for _, leaf in leaves)
    return Program(static, structure), given, names


def with_partials(arguments: Any) -> Any:
    """The arguments, with partial functions as trees: equal ones are the same program.

    A function of :mod:`diffbio.torch` becomes that of :mod:`diffbio.functional`.
    """

    def as_tree(leaf: Any) -> Any:
        if type(leaf) is functools.partial:
            keywords = with_partials(leaf.keywords)
            return jax.tree_util.Partial(as_tree(leaf.func), *leaf.args, **keywords)
        return getattr(leaf, "of_arrays", leaf) if callable(leaf) else leaf

    return jax.tree.map(as_tree, arguments)


def parameters_of(loss: Callable[..., Any]) -> dict[str, inspect.Parameter]:
    """The parameters of a loss by name, without ``axis_name``."""
    parameters = inspect.signature(loss, eval_str=True).parameters
    return {name: p for name, p in parameters.items() if name != "axis_name"}


def axes_of(annotation: Any, *, in_records: bool = False) -> list[list[str]]:
    """The axes of every array that an annotation accepts, in the fields of records too if asked."""
    if hasattr(annotation, "dim_str"):
        return [annotation.dim_str.split()]
    parts = [*typing.get_args(annotation)]
    if in_records and is_dataclass(annotation):
        parts += [field.type for field in fields(annotation)]
    return [axes for part in parts for axes in axes_of(part, in_records=in_records)]
