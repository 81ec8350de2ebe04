"""PyTorch on the device that JAX uses: tensors, and calls that are complete when they return."""

from collections.abc import Callable, Sequence
from typing import Any

import jax
import numpy as np
import torch
from torch import Tensor

from benchmarks.measure.environment import usable_cores

__all__ = ["completed", "tensor", "under"]

_ON_GPU = jax.default_backend() == "gpu" and torch.cuda.is_available()
torch.set_num_threads(len(usable_cores()))


def tensor(array: Any) -> Tensor:
    """A copy of the array, on the GPU if JAX uses one."""
    return torch.tensor(np.asarray(array), device="cuda" if _ON_GPU else "cpu")


def completed(call: Callable[[], Any]) -> Callable[[], Any]:
    """The call, which returns when its work is done: a GPU works on after PyTorch has returned."""

    def complete() -> Any:
        result = call()
        if _ON_GPU:
            torch.cuda.synchronize()
        return result

    return complete


def under(
    transform: str, loss: Callable[[], Tensor], differentiated: Sequence[Tensor]
) -> Callable[[], Any]:
    """The loss, or the loss and its gradients by autograd, as a complete call."""

    def value() -> Tensor:
        with torch.no_grad():
            return loss()

    def value_and_grad() -> tuple[Tensor, tuple[Tensor, ...]]:
        for each in differentiated:
            each.requires_grad_(True)
        result = loss()
        return result.detach(), torch.autograd.grad(result, differentiated)

    return completed(value_and_grad if transform == "value_and_grad" else value)
