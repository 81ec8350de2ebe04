"""Diversity of soft cluster assignments that are tensors."""

from jaxtyping import Bool, Float
from torch import Tensor

from diffbio import functional
from diffbio.torch._bridge import evaluate
from diffbio.torch._graphs import outside_of_graphs

__all__ = ["shannon_diversity", "simpson_diversity"]


@outside_of_graphs
def shannon_diversity(
    assignments: Float[Tensor, "n_cells n_clusters"],
    *,
    over: str = "cells",
    where: Bool[Tensor, " n_cells"] | None = None,
    reduce: bool = True,
) -> Float[Tensor, "..."]:
    """Shannon entropy of soft cluster assignments, in nats; higher is more diverse.

    The formula, the errors and all arguments are those of
    :func:`diffbio.functional.shannon_diversity`.

    Args:
        assignments: ``(n_cells, n_clusters)`` probabilities.
        over, reduce: as there.
        where: ``(n_cells,)`` bool, the cells that count.

    Returns:
        Scalar, or ``(n_cells,)`` with ``reduce=False``, on the tensor's device, in float32,
        or in float64 if the assignments are.

    Raises:
        TypeError, ValueError, RuntimeError: see :mod:`diffbio.torch`.

    Gradient:
        For the assignments.

    Example:
        >>> import torch
        >>> a = torch.tensor([[0.5, 0.5, 0.0], [0.2, 0.3, 0.5]], requires_grad=True)
        >>> entropy = shannon_diversity(a)
        >>> entropy.backward()
        >>> round(entropy.item(), 4), a.grad.shape
        (0.8614, torch.Size([2, 3]))
    """
    (entropy,) = evaluate(
        functional.shannon_diversity,
        {"assignments": assignments, "where": where},
        over=over,
        reduce=reduce,
    )
    return entropy


@outside_of_graphs
def simpson_diversity(
    assignments: Float[Tensor, "n_cells n_clusters"],
    *,
    over: str = "cells",
    where: Bool[Tensor, " n_cells"] | None = None,
    reduce: bool = True,
) -> Float[Tensor, "..."]:
    """Simpson concentration of soft cluster assignments; lower is more diverse.

    The formula, the errors and all arguments are those of
    :func:`diffbio.functional.simpson_diversity`.

    Args:
        assignments: ``(n_cells, n_clusters)`` probabilities.
        over, reduce: as there.
        where: ``(n_cells,)`` bool, the cells that count.

    Returns:
        Scalar, or ``(n_cells,)`` with ``reduce=False``, on the tensor's device, in float32,
        or in float64 if the assignments are.

    Raises:
        TypeError, ValueError, RuntimeError: see :mod:`diffbio.torch`.

    Gradient:
        For the assignments.

    Example:
        >>> import torch
        >>> a = torch.tensor([[0.5, 0.5, 0.0], [0.2, 0.3, 0.5]], requires_grad=True)
        >>> concentration = simpson_diversity(a)
        >>> concentration.backward()
        >>> round(concentration.item(), 4), a.grad.shape
        (0.44, torch.Size([2, 3]))
    """
    (concentration,) = evaluate(
        functional.simpson_diversity,
        {"assignments": assignments, "where": where},
        over=over,
        reduce=reduce,
    )
    return concentration
