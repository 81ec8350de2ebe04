"""One way from tensors through a JAX program and back, for every loss."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, NoReturn

import jax
import numpy as np
import torch
from jaxtyping import Array, PyTree
from torch import Tensor

from diffbio._arrays import as_option
from diffbio._forked import refuse_after_fork
from diffbio._types import AnyArray
from diffbio.torch._exchange import as_array, as_tensor, check_tensor, common_device
from diffbio.torch._pullback import Arguments, Signature, gradients, value_and_pullback

__all__ = ["evaluate"]


def evaluate(
    loss: Callable[..., Any], arrays: Mapping[str, Tensor | None], **options: Any
) -> tuple[Tensor, ...]:
    """What a function of ``diffbio.functional`` returns, its scalars or vectors as tensors.

    Args:
        loss: the function.
        arrays: its arguments that are arrays; None is left to the function.
        options: its other arguments. Floating numbers may change without a new program, and
            tensors among them may require gradients. All else is part of the program, single
            integers too, however they are given.
    """
    refuse_after_fork()
    for name, value in arrays.items():
        if value is not None:
            check_tensor(name, value)
    read = {
        name: jax.tree.map(lambda leaf, name=name: _option(name, leaf), value)
        for name, value in options.items()
    }
    leaves, structure = jax.tree.flatten({**arrays, **read})
    tensors = [leaf for leaf in leaves if isinstance(leaf, Tensor)]
    with _jax_on(common_device(tensors)):
        if torch.is_grad_enabled() and any(tensor.requires_grad for tensor in tensors):
            return _Loss.apply(loss, structure, *leaves)
        placed = [as_array(leaf) if isinstance(leaf, Tensor) else leaf for leaf in leaves]
        return _tensors(loss(**jax.tree.unflatten(structure, placed)))


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


def _tensors(value: PyTree[Array]) -> tuple[Tensor, ...]:
    """The results, complete: JAX works on after it has returned, and reads the tensors' memory."""
    return tuple(map(as_tensor, jax.block_until_ready(jax.tree.leaves(value))))


class _Loss(torch.autograd.Function):
    """A loss with a gradient for every tensor among its leaves that requires one."""

    @staticmethod
    def forward(
        ctx: Any, loss: Callable[..., Any], structure: Any, *leaves: Any
    ) -> tuple[Tensor, ...]:
        placed = [as_array(leaf) if isinstance(leaf, Tensor) else leaf for leaf in leaves]
        wanted = ctx.needs_input_grad[2:]
        traced = [isinstance(leaf, AnyArray | float) for leaf in placed]
        rows = list(zip(placed, wanted, traced, strict=True))
        signature = Signature(
            loss, structure, tuple(None if traced else leaf for leaf, _, traced in rows)
        )
        arguments = Arguments(
            [leaf if wanted else None for leaf, wanted, _ in rows],
            [leaf if traced and not wanted else None for leaf, wanted, traced in rows],
        )
        # Inside of the program numbers are unknown; here the loss sees and checks them.
        jax.eval_shape(lambda: loss(**jax.tree.unflatten(structure, placed)))
        value, pullback = jax.block_until_ready(value_and_pullback(signature, arguments))
        ctx.loss, ctx.arguments, ctx.pullback = loss, arguments, pullback
        ctx.results = jax.tree.structure(value)
        # The arguments are the memory of these tensors: PyTorch notices if it was written to.
        ctx.save_for_backward(*(leaf for leaf in leaves if isinstance(leaf, Tensor)))
        return _tensors(value)

    @staticmethod
    def backward(ctx: Any, *cotangents: Tensor) -> tuple[Tensor | None, ...]:
        found = iter(_Gradients.apply(ctx, *ctx.saved_tensors, *cotangents))
        return tuple(next(found) if wanted else None for wanted in ctx.needs_input_grad)


class _Gradients(torch.autograd.Function):
    """The gradients of a loss, which have no derivative themselves."""

    @staticmethod
    def forward(ctx: Any, of: Any, *tensors: Tensor) -> tuple[Tensor, ...]:
        ctx.loss = of.loss
        cotangents = tensors[len(tensors) - of.results.num_leaves :]
        with _jax_on(common_device(cotangents)):
            found = gradients(
                of.pullback,
                of.arguments,
                jax.tree.unflatten(of.results, map(as_array, cotangents)),
            )
            return tuple(map(as_tensor, jax.block_until_ready(found)))

    @staticmethod
    def backward(ctx: Any, *_: Tensor) -> NoReturn:
        raise RuntimeError(
            f"diffbio.torch.{ctx.loss.__name__} has no second derivative; take "
            f"diffbio.functional.{ctx.loss.__name__} and jax.hessian"
        )
