"""The losses themselves, called from PyTorch through ``diffbio.torch``."""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from torch import Tensor

import diffbio.torch
from benchmarks.catalog.cases import Case, case
from benchmarks.peers.torch_device import tensor, under

__all__ = ["function_of", "prepare"]


def function_of(case: Case) -> Callable[..., Tensor]:
    """The function of ``diffbio.torch`` that computes a case's loss, with the case's options."""
    loss = case.loss
    options = loss.keywords if isinstance(loss, partial) else {}
    return partial(getattr(diffbio.torch, getattr(loss, "func", loss).__name__), **options)


def prepare(loss: str, transform: str, arrays: Mapping[str, Any]) -> Callable[[], Any]:
    """The loss, or the loss and its gradients by autograd, as a call without arguments."""
    function = function_of(case(loss))
    tensors = {name: tensor(array) for name, array in arrays.items()}
    differentiated = [tensors[name] for name in case(loss).differentiable]
    return under(transform, lambda: function(**tensors), differentiated)
