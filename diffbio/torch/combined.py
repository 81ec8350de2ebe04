"""The combined objective of an integration model, of tensors."""

from typing import NamedTuple

from jaxtyping import Bool, Float, Integer
from torch import Tensor

from diffbio import functional
from diffbio.torch._bridge import evaluate
from diffbio.torch._graphs import outside_of_graphs
from diffbio.torch._types import Proportions, Scalar, StaticInteger, Weights

__all__ = ["CombinedLoss", "combined_loss"]


class CombinedLoss(NamedTuple):
    """The weighted total and its unweighted terms, each a scalar that has a gradient.

    The fields are those of :class:`diffbio.functional.CombinedLoss`.

    Example:
        >>> CombinedLoss._fields
        ('total', 'batch', 'cluster', 'reconstruction')
    """

    total: Float[Tensor, ""]
    batch: Float[Tensor, ""]
    cluster: Float[Tensor, ""]
    reconstruction: Float[Tensor, ""]


@outside_of_graphs
def combined_loss(
    embeddings: Float[Tensor, "n_cells dim"],
    batch_labels: Integer[Tensor, " n_cells"],
    assignments: Float[Tensor, "n_cells n_clusters"],
    *,
    features: Float[Tensor, "n_cells n_features"] | None = None,
    reconstructed: Float[Tensor, "n_cells n_features"] | None = None,
    weights: Weights = functional.BALANCED,
    n_batches: StaticInteger = 3,
    n_neighbors: StaticInteger = 15,
    temperature: Scalar = 1.0,
    normalize: bool = False,
    proportions: Proportions = "uniform",
    bandwidth: str = "global",
    perplexity: Scalar | None = None,
    index: str = "entropy",
    neighbor_indices: Integer[Tensor, "n_cells n_listed"] | None = None,
    block_size: StaticInteger | None = None,
    centroids: Float[Tensor, "n_clusters dim"] | None = None,
    separation_weight: Scalar = 1.0,
    min_separation: Scalar = 1.0,
    where: Bool[Tensor, " n_cells"] | None = None,
) -> CombinedLoss:
    """Weighted sum of batch mixing, clustering compactness and reconstruction.

    The formula, the errors and all arguments are those of
    :func:`diffbio.functional.combined_loss`.

    Args:
        embeddings: ``(n_cells, dim)`` floating tensor.
        batch_labels: ``(n_cells,)`` integers in ``[0, n_batches)``.
        assignments: ``(n_cells, n_clusters)`` soft assignments.
        features, reconstructed: ``(n_cells, n_features)`` each, together or not at all.
        weights: :class:`diffbio.functional.LossWeights`, three numbers in its order, or one of
            its presets.
        n_batches, n_neighbors, temperature, normalize: as in :func:`batch_mixing_loss`.
        proportions, bandwidth, perplexity, index: as there.
        neighbor_indices, block_size: as there.
        centroids: as in :func:`clustering_compactness_loss`.
        separation_weight, min_separation: as there.
        where: ``(n_cells,)`` bool, the cells that count, for every term.

    Returns:
        :class:`CombinedLoss` on the tensors' device, each term in float32, or in float64 if one of
        its own tensors with a row per cell is; the total as the widest of them.

    Raises:
        TypeError, ValueError, RuntimeError: see :mod:`diffbio.torch`.

    Gradient:
        Of the total, or of any term, for every floating tensor.

    Example:
        >>> import torch
        >>> x = torch.tensor([[0.0, 0], [1, 0], [0, 1], [1.5, 1]], requires_grad=True)
        >>> a = torch.tensor([[1, 0], [0.75, 0.25], [0.5, 0.5], [0, 1]])
        >>> parts = combined_loss(x, torch.tensor([0, 1, 0, 1]), a, n_batches=2, n_neighbors=2)
        >>> parts.total.backward()
        >>> round(parts.cluster.item(), 4), x.grad.shape
        (0.5427, torch.Size([4, 2]))
    """
    return CombinedLoss(
        *evaluate(
            functional.combined_loss,
            {
                "embeddings": embeddings,
                "batch_labels": batch_labels,
                "assignments": assignments,
                "features": features,
                "reconstructed": reconstructed,
                "neighbor_indices": neighbor_indices,
                "centroids": centroids,
                "where": where,
            },
            weights=weights,
            n_batches=n_batches,
            n_neighbors=n_neighbors,
            temperature=temperature,
            normalize=normalize,
            proportions=proportions,
            bandwidth=bandwidth,
            perplexity=perplexity,
            index=index,
            block_size=block_size,
            separation_weight=separation_weight,
            min_separation=min_separation,
        )
    )
