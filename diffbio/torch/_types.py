"""Types that annotate the arguments of the losses for PyTorch."""

from collections.abc import Sequence
from typing import TypeAlias

from jaxtyping import Integer, Real
from torch import Tensor

from diffbio import _types

__all__ = ["Proportions", "Scalar", "StaticInteger", "Weights"]

# A number, or a tensor that holds one and may require a gradient.
Scalar: TypeAlias = _types.Scalar | Real[Tensor, ""]
# An integer, which is part of the program; a tensor that holds a single one will do.
StaticInteger: TypeAlias = _types.StaticInteger | Integer[Tensor, ""]
# A name, or one number per batch.
Proportions: TypeAlias = str | Tensor | _types.AnyArray | Sequence[Scalar]
# By name, or in their order.
Weights: TypeAlias = Sequence[Scalar] | Real[Tensor, " 3"] | Real[_types.AnyArray, " 3"]
