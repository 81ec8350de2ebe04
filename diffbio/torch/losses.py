"""The losses of :mod:`diffbio.functional`, for tensors."""

from diffbio import functional
from diffbio.torch._bridge import of_tensors

__all__ = [
    "batch_mixing_loss",
    "clustering_compactness_loss",
    "combined_loss",
    "shannon_diversity",
    "simpson_diversity",
    "velocity_consistency_loss",
    "velocity_transition_loss",
]

batch_mixing_loss = of_tensors(
    functional.batch_mixing_loss,
    """
    >>> import torch
    >>> z = torch.tensor([[0.0], [1.0], [3.0], [7.0]], dtype=torch.float64)
    >>> labels = torch.tensor([0, 1, 0, 1])
    >>> loss = batch_mixing_loss(z, labels, n_batches=2, n_neighbors=2, temperature=10.0)
    >>> round(loss.item(), 6)
    -0.411826
    """,
)
clustering_compactness_loss = of_tensors(
    functional.clustering_compactness_loss,
    """
    >>> import torch
    >>> x = torch.tensor([[0.0, 0], [1, 0], [0, 1], [1.5, 1]], requires_grad=True)
    >>> a = torch.tensor([[1, 0], [0.75, 0.25], [0.5, 0.5], [0, 1]])
    >>> loss = clustering_compactness_loss(x, a)
    >>> loss.backward()
    >>> round(loss.item(), 4), x.grad.shape
    (0.5427, torch.Size([4, 2]))
    """,
)
combined_loss = of_tensors(
    functional.combined_loss,
    """
    >>> from functools import partial
    >>> import torch
    >>> x = torch.tensor([[0.0, 0], [1, 0], [0, 1], [1.5, 1]], requires_grad=True)
    >>> a = torch.tensor([[1, 0], [0.75, 0.25], [0.5, 0.5], [0, 1]])
    >>> mixing = partial(batch_mixing_loss, n_batches=2, n_neighbors=2)
    >>> parts = combined_loss(x, torch.tensor([0, 1, 0, 1]), a, mixing=mixing)
    >>> parts.total.backward()
    >>> round(parts.cluster.item(), 4), x.grad.shape
    (0.5427, torch.Size([4, 2]))
    """,
)
shannon_diversity = of_tensors(
    functional.shannon_diversity,
    """
    >>> import torch
    >>> a = torch.tensor([[0.5, 0.5, 0.0], [0.2, 0.3, 0.5]], requires_grad=True)
    >>> entropy = shannon_diversity(a)
    >>> entropy.backward()
    >>> round(entropy.item(), 4), a.grad.shape
    (0.8614, torch.Size([2, 3]))
    """,
)
simpson_diversity = of_tensors(
    functional.simpson_diversity,
    """
    >>> import torch
    >>> a = torch.tensor([[0.5, 0.5, 0.0], [0.2, 0.3, 0.5]], requires_grad=True)
    >>> concentration = simpson_diversity(a)
    >>> concentration.backward()
    >>> round(concentration.item(), 4), a.grad.shape
    (0.44, torch.Size([2, 3]))
    """,
)
velocity_consistency_loss = of_tensors(
    functional.velocity_consistency_loss,
    """
    >>> import torch
    >>> x, future = torch.zeros(2, 2), torch.tensor([[0.1, 0.0], [0.0, 0.2]])
    >>> v = torch.tensor([[1.0, 0.0], [0.0, -2.0]], requires_grad=True)
    >>> loss = velocity_consistency_loss(x, v, future, dt=0.1)
    >>> loss.backward()
    >>> round(loss.item(), 4), v.grad.shape
    (1.0, torch.Size([2, 2]))
    """,
)
velocity_transition_loss = of_tensors(
    functional.velocity_transition_loss,
    """
    >>> import torch
    >>> x = torch.tensor([[0.0, 0], [1, 0], [0, 1], [2, 2]])
    >>> v = torch.tensor([[10.0, 0], [0, 10], [5, 5], [-10, 0]], requires_grad=True)
    >>> loss = velocity_transition_loss(x, v, n_neighbors=2)
    >>> loss.backward()
    >>> round(loss.item(), 5), v.grad.shape
    (1.38088, torch.Size([4, 2]))
    """,
)
