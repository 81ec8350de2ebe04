"""Batch mixing of tensors."""

from jaxtyping import Bool, Float, Integer
from torch import Tensor

from diffbio import functional
from diffbio.torch._bridge import evaluate
from diffbio.torch._graphs import outside_of_graphs
from diffbio.torch._types import Proportions, Scalar, StaticInteger

__all__ = ["batch_mixing_loss"]


@outside_of_graphs
def batch_mixing_loss(
    embeddings: Float[Tensor, "n_cells dim"],
    batch_labels: Integer[Tensor, " n_cells"],
    *,
    n_batches: StaticInteger = 3,
    n_neighbors: StaticInteger = 15,
    temperature: Scalar = 1.0,
    normalize: bool = False,
    proportions: Proportions = "uniform",
    bandwidth: str = "global",
    perplexity: Scalar | None = None,
    index: str = "entropy",
    neighbor_indices: Integer[Tensor, "n_cells n_listed"] | None = None,
    where: Bool[Tensor, " n_cells"] | None = None,
    block_size: StaticInteger | None = None,
    reduce: bool = True,
) -> Float[Tensor, "..."]:
    """Negative mean entropy of the batches among each cell's nearest neighbours.

    The formula, the errors and all arguments are those of
    :func:`diffbio.functional.batch_mixing_loss`.

    Args:
        embeddings: ``(n_cells, dim)`` floating tensor.
        batch_labels: ``(n_cells,)`` integers in ``[0, n_batches)``.
        neighbor_indices: ``(n_cells, k')`` integers that replace the search.
        where: ``(n_cells,)`` bool; a masked cell is not counted and nobody's neighbour.
        n_batches, n_neighbors, normalize, bandwidth, index, block_size, reduce: as there; each
            new value is compiled for.
        temperature, proportions, perplexity: as there; numbers may change without that.

    Returns:
        Scalar, or ``(n_cells,)`` with ``reduce=False``, on the tensors' device, in float32,
        or in float64 if the embeddings are.

    Raises:
        TypeError, ValueError, RuntimeError: see :mod:`diffbio.torch`.

    Gradient:
        For the embeddings, and for a temperature or perplexity that is a tensor.

    Example:
        >>> import torch
        >>> z = torch.tensor([[0.0], [1.0], [3.0], [7.0]], dtype=torch.float64)
        >>> labels = torch.tensor([0, 1, 0, 1])
        >>> loss = batch_mixing_loss(z, labels, n_batches=2, n_neighbors=2, temperature=10.0)
        >>> round(loss.item(), 6)
        -0.411826
    """
    (loss,) = evaluate(
        functional.batch_mixing_loss,
        {
            "embeddings": embeddings,
            "batch_labels": batch_labels,
            "neighbor_indices": neighbor_indices,
            "where": where,
        },
        n_batches=n_batches,
        n_neighbors=n_neighbors,
        temperature=temperature,
        normalize=normalize,
        proportions=proportions,
        bandwidth=bandwidth,
        perplexity=perplexity,
        index=index,
        block_size=block_size,
        reduce=reduce,
    )
    return loss
