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

__all__ = [
    "Program",
    "arguments_of",
    "axes_of",
    "is_given",
    "parameters_of",
    "split",
    "split_leaves",
    "with_partials",
]


class Program(NamedTuple):
    """A call of a loss without what its program is given.

    Attributes:
        kinds: the types of ``static``, compared first: 1 equals True, and pandas' NA is neither
            equal to anything nor unequal.
        static: for every leaf of the loss and its arguments the leaf, or ``_GIVEN``.
        structure: the tree of the loss and its arguments by name.
    """

    kinds: tuple[type, ...]
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
    leaves, structure = jax.tree.flatten_with_path((loss, dict(arguments)))
    names = [path[1].key if path[0].idx == 1 else None for path, leaf in leaves if is_given(leaf)]
    return *split_leaves([leaf for _, leaf in leaves], structure), names


def split_leaves(leaves: Sequence[Any], structure: Any) -> tuple[Program, list[Any]]:
    """The same of the leaves and the tree of a pair, the loss and its arguments by name."""
    given = [leaf for leaf in leaves if is_given(leaf)]
    static = tuple(_GIVEN if is_given(leaf) else leaf for leaf in leaves)
    return Program(tuple(map(type, static)), static, structure), given


class _Call(NamedTuple):
    """A partial function or a method as a tree, of which a module is a part with its numbers."""

    function: Callable[..., Any]
    args: tuple[Any, ...]
    keywords: dict[str, Any]

    def __call__(self, *args: Any, **keywords: Any) -> Any:
        return self.function(*self.args, *args, **{**self.keywords, **keywords})


def with_partials(arguments: Any) -> Any:
    """The arguments, with partial functions and modules' methods as trees.

    Equal ones are then the same program, and what a module holds at the call is what counts. A
    function of :mod:`diffbio.torch` becomes that of :mod:`diffbio.functional`.
    """
    return jax.tree.map(_as_tree, arguments, is_leaf=_is_partial)


def _is_partial(node: Any) -> bool:
    return type(node) in (functools.partial, jax.tree_util.Partial)


def _as_tree(node: Any) -> Any:
    if _is_partial(node):
        return _Call(*with_partials((node.func, node.args, node.keywords)))
    if inspect.ismethod(node) and not jax.tree_util.all_leaves([node.__self__]):
        return _Call(node.__func__, with_partials((node.__self__,)), {})
    return getattr(node, "of_arrays", node) if callable(node) else node


def arguments_of(
    name: str, signature: inspect.Signature, args: tuple[Any, ...], kwargs: dict[str, Any]
) -> dict[str, Any]:
    """The arguments of a call by name; an error names the function, as Python's own does."""
    try:
        return signature.bind(*args, **kwargs).arguments
    except TypeError as error:
        raise TypeError(f"{name}() {error}") from None


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
