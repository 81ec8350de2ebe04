"""What is fast differs between a CPU and an accelerator.

A CPU wants blocks that stay in its cache. A GPU wants few and large steps, since each costs
the start of a kernel. The two programs return the same up to rounding.
"""

from collections.abc import Callable
from enum import StrEnum
from functools import partial
from typing import Any, TypeVar

from jax import lax

__all__ = ["Platform", "by_platform"]

Result = TypeVar("Result")


class Platform(StrEnum):
    """The kinds of hardware that programs are made for."""

    CPU = "cpu"
    ACCELERATOR = "accelerator"


def by_platform(function: Callable[..., Result], *operands: Any) -> Result:
    """``function(platform, *operands)`` for the platform that the program is lowered for.

    Both programs are traced, and one of them is compiled. A program is lowered where its
    arrays lie, which nothing knows while it is traced.
    """
    return lax.platform_dependent(
        *operands,
        cpu=partial(function, Platform.CPU),
        default=partial(function, Platform.ACCELERATOR),
    )
