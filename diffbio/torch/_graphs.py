"""Where PyTorch's compiler meets a loss: its graph breaks, and the loss runs as it is."""

import functools
import sys
from collections.abc import Callable
from typing import ParamSpec, TypeVar, no_type_check

import torch

__all__ = ["outside_of_graphs"]

_Arguments = ParamSpec("_Arguments")
_Result = TypeVar("_Result")


def outside_of_graphs(loss: Callable[_Arguments, _Result]) -> Callable[_Arguments, _Result]:
    """The loss, of which PyTorch's compiler sees nothing: it would fail at the calls of JAX.

    The compiler takes seconds to import, and is asked only where it is imported already.
    """

    # The compiler reads this function, and could not read a check of its annotations.
    @functools.wraps(loss)
    @no_type_check
    def called(*args: _Arguments.args, **kwargs: _Arguments.kwargs) -> _Result:
        if torch.compiler.is_compiling() or "torch._dynamo" in sys.modules:
            from diffbio.torch._uncompiled import UNCOMPILED

            return UNCOMPILED[loss.__name__](*args, **kwargs)
        return loss(*args, **kwargs)

    return called
