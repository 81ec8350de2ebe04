"""One way from tensors through a JAX program and back, for every loss."""

import functools
import inspect
from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, NoReturn

import jax
import numpy as np
import torch
from torch import Tensor

from diffbio._arrays import as_option
from diffbio._calls import (
    Program,
    arguments_of,
    axes_of,
    is_given,
    parameters_of,
    split_leaves,
    with_partials,
)
from diffbio._forked import refuse_after_fork
from diffbio.torch._exchange import as_array, as_tensor, check_tensor, common_device
from diffbio.torch._graphs import outside_of_graphs
from diffbio.torch._programs import Given, Pullback, evaluate, gradients

__all__ = ["of_tensors"]

_DOCSTRING = """{summary}

:func:`diffbio.functional.{name}` for tensors: the formula, the arguments, the errors and what has
a gradient are described there, and what holds for all losses in :mod:`diffbio.torch`.

Example:
{example}
"""


def of_tensors(loss: Callable[..., Any], example: str) -> Callable[..., Any]:
    """A function of :mod:`diffbio.functional` for tensors.

    It has the signature of the loss, without ``axis_name``. Type checkers accept any arguments,
    since those of the loss are annotated with arrays.

    Args:
        loss: the function.
        example: lines for the docstring.
    """
    parameters = parameters_of(loss)
    signature = inspect.Signature(list(parameters.values()))
    arrays = {name for name, p in parameters.items() if _is_array(p.annotation)}

    @functools.wraps(loss)
    def called(*args: Any, **kwargs: Any) -> Any:
        return _evaluate(loss, arguments_of(loss.__name__, signature, args, kwargs), arrays)

    summary = (inspect.getdoc(loss) or "").split("\n")[0]
    lines = "\n".join(f"    {line}" for line in inspect.cleandoc(example).split("\n"))
    called.__doc__ = _DOCSTRING.format(summary=summary, name=loss.__name__, example=lines)
    called.__module__ = "diffbio.torch"
    called.__signature__ = signature  # type: ignore[attr-defined]
    called.of_arrays = loss  # type: ignore[attr-defined]
    return outside_of_graphs(called)


def _is_array(annotation: Any) -> bool:
    """Whether an argument is an array: what accepts a single number too is an option."""
    shapes = axes_of(annotation)
    return bool(shapes) and all(shapes)


def _evaluate(loss: Callable[..., Any], given: Mapping[str, Any], arrays: set[str]) -> Any:
    """What the loss returns, as tensors; None is left to it."""
    refuse_after_fork()
    read = {
        name: _checked(name, value)
        if name in arrays
        else jax.tree.map(functools.partial(_option, name), with_partials(value))
        for name, value in given.items()
    }
    leaves, structure = jax.tree.flatten((loss, read))
    tensors = [leaf for leaf in leaves if isinstance(leaf, Tensor)]
    recorded = [_is_recorded(leaf) for leaf in leaves]
    with _jax_on(common_device(tensors)):
        program, inputs = _split(leaves, structure, recorded)
        value, slopes, checks = _complete(evaluate(program, inputs))
    checks(inputs)
    results, of_results = jax.tree.flatten(value)
    found = [*map(as_tensor, results)]
    if any(recorded):
        pull = None
        if isinstance(slopes, Pullback):
            pull, slopes = functools.partial(_pulled, slopes, inputs, of_results), []
        found = _Loss.apply(loss.__name__, found, [*map(as_tensor, slopes)], pull, *tensors)
    return jax.tree.unflatten(of_results, found)


def _is_recorded(leaf: Any) -> bool:
    """Whether PyTorch asks for a gradient by this leaf."""
    return isinstance(leaf, Tensor) and leaf.requires_grad and torch.is_grad_enabled()


def _checked(name: str, value: Any) -> Any:
    if value is not None:
        check_tensor(name, value)
    return value


def _option(name: str, leaf: Any) -> Any:
    """A leaf of an option: a tensor, or what JAX takes; a single number is Python's."""
    if not isinstance(leaf, Tensor):
        leaf = as_option(name, leaf)
        if isinstance(leaf, np.ndarray) and leaf.dtype.kind in "OSUMm":
            raise TypeError(f"{name} must hold numbers, got an array of {leaf.dtype}")
        if not is_given(leaf) and not isinstance(leaf, Hashable):
            raise TypeError(f"{name} must be hashable, since it is compiled, got {leaf!r}")
        is_float = isinstance(leaf, np.ndarray) and leaf.ndim == 0 and leaf.dtype.kind == "f"
        return float(leaf) if is_float else leaf
    check_tensor(name, leaf)
    single = leaf.ndim == 0 and not (leaf.is_floating_point() or leaf.is_complex())
    return leaf.item() if single and not leaf.is_meta else leaf


@contextmanager
def _jax_on(device: jax.Device) -> Iterator[None]:
    """JAX with all dtypes of PyTorch, and with new arrays where the tensors lie."""
    with jax.enable_x64(True), jax.default_device(device):
        yield


def _split(
    leaves: Sequence[Any], structure: Any, recorded: Sequence[bool]
) -> tuple[Program, Given]:
    """The call as a program and what it is given, with a derivative by the recorded leaves."""
    placed = [as_array(leaf) if isinstance(leaf, Tensor) else leaf for leaf in leaves]
    program, inputs = split_leaves(placed, structure)
    moving = [r for r, array in zip(recorded, placed, strict=True) if is_given(array)]
    differentiated = [i if m else None for i, m in zip(inputs, moving, strict=True)]
    constant = [None if m else i for i, m in zip(inputs, moving, strict=True)]
    return program, Given(differentiated, constant)


def _complete(results: Any) -> Any:
    """The results, computed: JAX works on after it has returned, and reads the tensors' memory.

    ``jax.block_until_ready`` of several arrays takes longer.
    """
    for leaf in jax.tree.leaves(results):
        leaf.block_until_ready()
    return results


def _pulled(
    pullback: Pullback, given: Given, structure: Any, cotangents: Sequence[Tensor]
) -> list[Tensor]:
    """The gradients of a loss that returned other than a single number."""
    with _jax_on(common_device(cotangents)):
        bars = jax.tree.unflatten(structure, map(as_array, cotangents))
        return [*map(as_tensor, _complete(gradients(pullback, given, bars)))]


class _Loss(torch.autograd.Function):
    """The results of a loss, with a gradient for every tensor that requires one."""

    @staticmethod
    def forward(
        ctx: Any,
        name: str,
        results: Sequence[Tensor],
        slopes: Sequence[Tensor],
        pull: Callable[[Sequence[Tensor]], list[Tensor]] | None,
        *tensors: Tensor,
    ) -> tuple[Tensor, ...]:
        """The results, which have these slopes, or whose cotangents are pulled back."""
        ctx.name, ctx.pull, ctx.n_tensors = name, pull, len(tensors)
        # A pullback reads the memory of the tensors: PyTorch notices if it was written to.
        ctx.save_for_backward(*tensors, *slopes)
        return tuple(results)

    @staticmethod
    def backward(ctx: Any, *cotangents: Tensor) -> "tuple[Tensor | None, ...]":
        saved, n = ctx.saved_tensors, ctx.n_tensors
        with torch.no_grad():
            slopes = ctx.pull(cotangents) if ctx.pull else [s * cotangents[0] for s in saved[n:]]
        if torch.is_grad_enabled():
            slopes = _Gradients.apply(ctx.name, slopes, *saved[:n], *cotangents)
        left = iter(slopes)
        return (None,) * 4 + tuple(
            next(left).to(tensor.dtype) if wanted else None
            for tensor, wanted in zip(saved[:n], ctx.needs_input_grad[4:], strict=True)
        )


class _Gradients(torch.autograd.Function):
    """The gradients of a loss, which have no derivative themselves."""

    @staticmethod
    def forward(ctx: Any, name: str, gradients: Sequence[Tensor], *_: Tensor) -> tuple[Tensor, ...]:
        ctx.name = name
        return tuple(gradients)

    @staticmethod
    def backward(ctx: Any, *_: Tensor) -> NoReturn:
        raise RuntimeError(
            f"diffbio.torch.{ctx.name} has no second derivative; take "
            f"diffbio.functional.{ctx.name} and jax.hessian"
        )
