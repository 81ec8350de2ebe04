"""The losses themselves, called from PyTorch through ``diffbio.torch``."""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from torch import Tensor

import diffbio.torch
from benchmarks.catalog.cases import case
from benchmarks.peers.torch_device import tensor, under
from diffbio.functional import Local

__all__ = ["prepare"]

_LOSSES: Mapping[str, Callable[..., Tensor]] = {
    "batch_mixing": diffbio.torch.batch_mixing_loss,
    "batch_mixing_local": partial(diffbio.torch.batch_mixing_loss, temperature=Local()),
    "compactness": diffbio.torch.clustering_compactness_loss,
    "velocity": diffbio.torch.velocity_consistency_loss,
    "velocity_transition": diffbio.torch.velocity_transition_loss,
    "shannon": diffbio.torch.shannon_diversity,
    "simpson": diffbio.torch.simpson_diversity,
}


def prepare(loss: str, transform: str, arrays: Mapping[str, Any]) -> Callable[[], Any]:
    """The loss, or the loss and its gradients by autograd, as a call without arguments."""
    function = _LOSSES[loss]
    tensors = {name: tensor(array) for name, array in arrays.items()}
    differentiated = [tensors[name] for name in case(loss).differentiable]
    return under(transform, lambda: function(**tensors), differentiated)
