"""One way from tensors through a JAX program and back, for every loss."""

import functools
import inspect
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, NoReturn

import jax
import numpy as np
import torch
from torch import Tensor

from diffbio._arrays import as_option
from diffbio._calls import arguments_of, axes_of, is_given, parameters_of, split, with_partials
from diffbio._forked import refuse_after_fork
from diffbio.torch._exchange import as_array, as_tensor, check_tensor, common_device
from diffbio.torch._graphs import outside_of_graphs
from diffbio.torch._pullback import Given, gradients, value_and_pullback

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
    leaves, structure = jax.tree.flatten(read)
    tensors = [leaf for leaf in leaves if isinstance(leaf, Tensor)]
    with _jax_on(common_device(tensors)):
        if torch.is_grad_enabled() and any(tensor.requires_grad for tensor in tensors):
            results: list[Any] = []
            found = _Loss.apply(loss, structure, results, *leaves)
            return jax.tree.unflatten(results[0], found)
        return jax.tree.map(as_tensor, _complete(loss(**_placed(structure, leaves))))


def _checked(name: str, value: Any) -> Any:
    if value is not None:
        check_tensor(name, value)
    return value


def _option(name: str, leaf: Any) -> Any:
    """A leaf of an option: a tensor, or what JAX takes; a single number is Python's."""
    if not isinstance(leaf, Tensor):
        leaf = as_option(name, leaf)
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


def _placed(structure: Any, leaves: Sequence[Any]) -> Any:
    """The tree, with arrays in place of tensors."""
    placed = [as_array(leaf) if isinstance(leaf, Tensor) else leaf for leaf in leaves]
    return jax.tree.unflatten(structure, placed)


def _complete(results: Any) -> Any:
    """The results, computed: JAX works on after it has returned, and reads the tensors' memory."""
    return jax.block_until_ready(results)


class _Loss(torch.autograd.Function):
    """A loss with a gradient for every tensor among its leaves that requires one."""

    @staticmethod
    def forward(
        ctx: Any, loss: Callable[..., Any], structure: Any, results: list[Any], *leaves: Any
    ) -> tuple[Tensor, ...]:
        program, arrays, _ = split(loss, _placed(structure, leaves))
        wanted = [
            wanted
            for leaf, wanted in zip(leaves, ctx.needs_input_grad[3:], strict=True)
            if isinstance(leaf, Tensor) or is_given(leaf)
        ]
        given = Given(
            [array if wanted else None for array, wanted in zip(arrays, wanted, strict=True)],
            [None if wanted else array for array, wanted in zip(arrays, wanted, strict=True)],
        )
        # Inside of the program numbers are unknown; here the loss sees and checks them.
        jax.eval_shape(lambda: program(arrays))
        value, pullback = _complete(value_and_pullback(program, given))
        ctx.loss, ctx.given, ctx.pullback = loss, given, pullback
        ctx.results = jax.tree.structure(value)
        results.append(ctx.results)
        # The inputs are the memory of these tensors: PyTorch notices if it was written to.
        ctx.save_for_backward(*(leaf for leaf in leaves if isinstance(leaf, Tensor)))
        return tuple(map(as_tensor, jax.tree.leaves(value)))

    @staticmethod
    def backward(ctx: Any, *cotangents: Tensor) -> "tuple[Tensor | None, ...]":
        found = iter(_Gradients.apply(ctx, *ctx.saved_tensors, *cotangents))
        return tuple(next(found) if wanted else None for wanted in ctx.needs_input_grad)


class _Gradients(torch.autograd.Function):
    """The gradients of a loss, which have no derivative themselves."""

    @staticmethod
    def forward(ctx: Any, of: Any, *tensors: Tensor) -> tuple[Tensor, ...]:
        ctx.loss = of.loss
        cotangents = tensors[len(tensors) - of.results.num_leaves :]
        with _jax_on(common_device(cotangents)):
            bars = jax.tree.unflatten(of.results, map(as_array, cotangents))
            return tuple(map(as_tensor, _complete(gradients(of.pullback, of.given, bars))))

    @staticmethod
    def backward(ctx: Any, *_: Tensor) -> NoReturn:
        raise RuntimeError(
            f"diffbio.torch.{ctx.loss.__name__} has no second derivative; take "
            f"diffbio.functional.{ctx.loss.__name__} and jax.hessian"
        )
