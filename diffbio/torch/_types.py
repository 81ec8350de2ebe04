"""Types that annotate the arguments of the losses for PyTorch."""

from collections.abc import Sequence
from typing import TypeAlias

from jaxtyping import Real
from torch import Tensor

from diffbio import _types

__all__ = ["Proportions", "Scalar"]

# A number, or a tensor that holds one and may require a gradient.
Scalar: TypeAlias = _types.Scalar | Real[Tensor, ""]
# A name, or one number per batch.
Proportions: TypeAlias = str | Tensor | Sequence[float]
