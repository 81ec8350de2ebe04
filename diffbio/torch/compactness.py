"""Clustering compactness of tensors."""

from jaxtyping import Bool, Float
from torch import Tensor

from diffbio import functional
from diffbio.torch._bridge import evaluate
from diffbio.torch._graphs import outside_of_graphs
from diffbio.torch._types import Scalar

__all__ = ["clustering_compactness_loss"]


@outside_of_graphs
def clustering_compactness_loss(
    embeddings: Float[Tensor, "n_cells dim"],
    assignments: Float[Tensor, "n_cells n_clusters"],
    centroids: Float[Tensor, "n_clusters dim"] | None = None,
    *,
    separation_weight: Scalar = 1.0,
    min_separation: Scalar = 1.0,
    where: Bool[Tensor, " n_cells"] | None = None,
) -> Float[Tensor, ""]:
    """Mean squared distance to the centroids, plus a hinge on the centroids' distances.

    The formula, the errors and all arguments are those of
    :func:`diffbio.functional.clustering_compactness_loss`.

    Args:
        embeddings: ``(n_cells, dim)`` floating tensor.
        assignments: ``(n_cells, n_clusters)`` soft assignments.
        centroids: ``(n_clusters, dim)`` centroids to use instead of the weighted means.
        separation_weight, min_separation: as there.
        where: ``(n_cells,)`` bool, the cells that count.

    Returns:
        Scalar on the tensors' device, in float32, or in float64 if a tensor with a row per cell is.

    Raises:
        TypeError, ValueError, RuntimeError: see :mod:`diffbio.torch`.

    Gradient:
        For every floating tensor.

    Example:
        >>> import torch
        >>> x = torch.tensor([[0.0, 0], [1, 0], [0, 1], [1.5, 1]])
        >>> a = torch.tensor([[1, 0], [0.75, 0.25], [0.5, 0.5], [0, 1]], requires_grad=True)
        >>> loss = clustering_compactness_loss(x, a)
        >>> loss.backward()
        >>> round(loss.item(), 4), a.grad.shape
        (0.5427, torch.Size([4, 2]))
    """
    (loss,) = evaluate(
        functional.clustering_compactness_loss,
        {
            "embeddings": embeddings,
            "assignments": assignments,
            "centroids": centroids,
            "where": where,
        },
        separation_weight=separation_weight,
        min_separation=min_separation,
    )
    return loss
