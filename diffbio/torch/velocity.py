"""Velocity consistency of tensors."""

from jaxtyping import Bool, Float
from torch import Tensor

from diffbio import functional
from diffbio.torch._bridge import evaluate
from diffbio.torch._graphs import outside_of_graphs
from diffbio.torch._types import Scalar

__all__ = ["velocity_consistency_loss"]


@outside_of_graphs
def velocity_consistency_loss(
    expression: Float[Tensor, "n_cells n_genes"],
    velocity: Float[Tensor, "n_cells n_genes"],
    future_expression: Float[Tensor, "n_cells n_genes"],
    *,
    dt: Scalar = 0.1,
    cosine_weight: Scalar = 1.0,
    magnitude_weight: Scalar = 1.0,
    where: Bool[Tensor, " n_cells"] | None = None,
    reduce: bool = True,
) -> Float[Tensor, "..."]:
    """Disagreement of the extrapolated with the observed change, in direction and length.

    The formula, the errors and all arguments are those of
    :func:`diffbio.functional.velocity_consistency_loss`.

    Args:
        expression: ``(n_cells, n_genes)`` floating tensor.
        velocity: ``(n_cells, n_genes)`` velocity, the expression's unit per time.
        future_expression: ``(n_cells, n_genes)`` expression after ``dt``.
        dt, cosine_weight, magnitude_weight, reduce: as there.
        where: ``(n_cells,)`` bool, the cells that count.

    Returns:
        Scalar, or ``(n_cells,)`` with ``reduce=False``, on the tensors' device, in float32,
        or in float64 if a tensor with a row per cell is.

    Raises:
        TypeError, ValueError, RuntimeError: see :mod:`diffbio.torch`.

    Gradient:
        For every floating tensor.

    Example:
        >>> import torch
        >>> x = torch.tensor([[0.0, 0], [1, 2]])
        >>> v = torch.tensor([[10.0, 0], [0, -5]], requires_grad=True)
        >>> loss = velocity_consistency_loss(x, v, torch.ones(2, 2))
        >>> loss.backward()
        >>> round(loss.item(), 6), v.grad.shape
        (0.357233, torch.Size([2, 2]))
    """
    (loss,) = evaluate(
        functional.velocity_consistency_loss,
        {
            "expression": expression,
            "velocity": velocity,
            "future_expression": future_expression,
            "where": where,
        },
        dt=dt,
        cosine_weight=cosine_weight,
        magnitude_weight=magnitude_weight,
        reduce=reduce,
    )
    return loss
