"""Velocity transitions of tensors."""

from jaxtyping import Bool, Float, Integer
from torch import Tensor

from diffbio import functional
from diffbio.torch._bridge import evaluate
from diffbio.torch._graphs import outside_of_graphs
from diffbio.torch._types import Scalar, StaticInteger

__all__ = ["velocity_transition_loss"]


@outside_of_graphs
def velocity_transition_loss(
    expression: Float[Tensor, "n_cells n_genes"],
    velocity: Float[Tensor, "n_cells n_genes"],
    *,
    dt: Scalar = 0.1,
    n_neighbors: StaticInteger = 30,
    temperature: Scalar = 0.1,
    neighbor_indices: Integer[Tensor, "n_cells n_listed"] | None = None,
    where: Bool[Tensor, " n_cells"] | None = None,
    block_size: StaticInteger | None = None,
) -> Float[Tensor, ""]:
    """Mean squared miss of the extrapolated change over the likely transitions.

    The formula, the errors and all arguments are those of
    :func:`diffbio.functional.velocity_transition_loss`.

    Args:
        expression: ``(n_cells, n_genes)`` floating tensor.
        velocity: ``(n_cells, n_genes)`` velocity, the expression's unit per time.
        dt, n_neighbors, temperature, block_size: as there.
        neighbor_indices: ``(n_cells, k')`` integers that replace the search.
        where: ``(n_cells,)`` bool; a masked cell is not counted and nobody's neighbour.

    Returns:
        Scalar on the tensors' device, in float32, or in float64 if a tensor with a row per cell is.

    Raises:
        TypeError, ValueError, RuntimeError: see :mod:`diffbio.torch`.

    Gradient:
        For every floating tensor.

    Example:
        >>> import torch
        >>> x = torch.tensor([[0.0, 0], [1, 0], [0, 1], [2, 2]])
        >>> v = torch.tensor([[10.0, 0], [0, 10], [5, 5], [-10, 0]], requires_grad=True)
        >>> loss = velocity_transition_loss(x, v, n_neighbors=2)
        >>> loss.backward()
        >>> round(loss.item(), 5), v.grad.shape
        (1.38088, torch.Size([4, 2]))
    """
    (loss,) = evaluate(
        functional.velocity_transition_loss,
        {
            "expression": expression,
            "velocity": velocity,
            "neighbor_indices": neighbor_indices,
            "where": where,
        },
        dt=dt,
        n_neighbors=n_neighbors,
        temperature=temperature,
        block_size=block_size,
    )
    return loss
