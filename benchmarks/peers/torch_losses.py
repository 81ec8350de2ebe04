"""The losses in PyTorch as one writes them down: ``cdist``, ``topk``, autograd."""

import math
from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor

from benchmarks.peers.torch_device import tensor, under
from benchmarks.schema.suite import (
    MIXING_NEIGHBORS,
    RECOMMENDED_NEIGHBORS,
    TRANSITION_NEIGHBORS,
)

__all__ = ["prepare"]


def _nearest(x: Tensor, n_neighbors: int) -> Tensor:
    with torch.no_grad():
        squares = (x * x).sum(1)
        distances = squares[:, None] + squares[None] - 2 * x @ x.T
        distances.fill_diagonal_(float("inf"))
        return distances.topk(n_neighbors, largest=False).indices


def _squared_distances(embeddings: Tensor, neighbors: Tensor) -> Tensor:
    return ((embeddings[:, None] - embeddings[neighbors]) ** 2).sum(-1)


def _shares(weights: Tensor, batch_labels: Tensor, neighbors: Tensor) -> Tensor:
    labels = torch.nn.functional.one_hot(batch_labels.long()[neighbors], 3).to(weights.dtype)
    return torch.einsum("nk,nkb->nb", weights, labels).clamp_min(1e-30)


def _batch_mixing(embeddings: Tensor, batch_labels: Tensor, local: bool = False) -> Tensor:
    neighbors = _nearest(embeddings, MIXING_NEIGHBORS)
    distances = _squared_distances(embeddings, neighbors)
    if local:
        distances = distances / distances.mean(1, keepdim=True)
    p = _shares(torch.softmax(-distances, 1), batch_labels, neighbors)
    return (p * p.log()).sum(1).mean()


def _batch_mixing_local(embeddings: Tensor, batch_labels: Tensor) -> Tensor:
    return _batch_mixing(embeddings, batch_labels, local=True)


def _entropy(energies: Tensor) -> Tensor:
    weights = torch.softmax(-energies, 1)
    return torch.logsumexp(-energies, 1) + (weights * energies).sum(1)


def _weights_of_perplexity(distances: Tensor, perplexity: float) -> Tensor:
    """Bisection as in t-SNE, and one step of Newton's for the gradient."""
    distances = distances / distances.mean(1, keepdim=True)
    target = math.log(perplexity)
    with torch.no_grad():
        low = torch.full_like(distances[:, 0], -10.0)
        high = torch.full_like(low, 10.0)
        for _ in range(32):
            middle = (low + high) / 2
            wide = _entropy(middle.exp()[:, None] * distances) > target
            low, high = torch.where(wide, middle, low), torch.where(wide, high, middle)
        energies = middle.exp()[:, None] * distances
        weights = torch.softmax(-energies, 1)
        mean = (weights * energies).sum(1, keepdim=True)
        variance = (weights * (energies - mean) ** 2).sum(1)
    step = (_entropy(middle.exp()[:, None] * distances) - target) / variance
    return torch.softmax(-(middle + step).exp()[:, None] * distances, 1)


def _batch_mixing_recommended(embeddings: Tensor, batch_labels: Tensor) -> Tensor:
    neighbors = _nearest(embeddings, RECOMMENDED_NEIGHBORS)
    distances = _squared_distances(embeddings, neighbors).sqrt()
    weights = _weights_of_perplexity(distances, RECOMMENDED_NEIGHBORS / 3)
    p = _shares(weights, batch_labels, neighbors)
    expected = torch.bincount(batch_labels.long(), minlength=3) / len(batch_labels)
    return (p * (p / (3 * expected)).log()).sum(1).mean()


def _compactness(embeddings: Tensor, assignments: Tensor) -> Tensor:
    centroids = (assignments.T @ embeddings) / assignments.sum(0)[:, None]
    distances = ((embeddings[:, None] - centroids[None]) ** 2).sum(-1)
    intra = (assignments * distances).sum(1).mean()
    gaps = torch.pdist(centroids)
    return intra + torch.relu(1.0 - gaps).mean()


def _velocity(expression: Tensor, velocity: Tensor, future_expression: Tensor) -> Tensor:
    predicted, observed = 0.1 * velocity, future_expression - expression
    p, a = predicted.norm(dim=1), observed.norm(dim=1)
    return (1 - (predicted * observed).sum(1) / (p * a)).mean() + ((p - a) ** 2).mean()


def _velocity_transition(expression: Tensor, velocity: Tensor) -> Tensor:
    neighbors = _nearest(expression, TRANSITION_NEIGHBORS)
    changes = expression[neighbors] - expression[:, None]
    predicted = 0.1 * velocity[:, None]
    norms = changes.norm(dim=-1) * predicted.norm(dim=-1)
    transitions = torch.softmax((changes * predicted).sum(-1) / norms / 0.1, 1)
    return (transitions * ((changes - predicted) ** 2).sum(-1)).sum(1).mean()


def _shannon(assignments: Tensor) -> Tensor:
    return (-assignments * assignments.clamp_min(1e-30).log()).sum(1).mean()


def _simpson(assignments: Tensor) -> Tensor:
    return (assignments**2).sum(1).mean()


_LOSSES: Mapping[str, Callable[..., Any]] = {
    "batch_mixing_recommended": _batch_mixing_recommended,
    "batch_mixing": _batch_mixing,
    "batch_mixing_local": _batch_mixing_local,
    "compactness": _compactness,
    "velocity": _velocity,
    "velocity_transition": _velocity_transition,
    "shannon": _shannon,
    "simpson": _simpson,
}


def prepare(loss: str, transform: str, arrays: Mapping[str, Any]) -> Callable[[], Any]:
    """The loss, or the loss and its gradients, as a call without arguments."""
    function = _LOSSES[loss]
    tensors = [tensor(array) for array in arrays.values()]
    differentiated = [each for each in tensors if each.is_floating_point()]
    return under(transform, lambda: function(*tensors), differentiated)
