"""PyTorch on the device that JAX uses."""

from collections.abc import Callable
from typing import Any

import jax
import numpy as np
import torch
from torch import Tensor

from benchmarks.measure.environment import usable_cores

__all__ = ["completed", "tensor"]

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
