"""The losses as PyTorch's compiler leaves them; importing this file imports the compiler."""

import inspect
from collections.abc import Callable
from typing import Any

import torch

import diffbio.torch
from diffbio import functional

__all__ = ["UNCOMPILED"]


def _uncompiled(name: str) -> Callable[..., Any]:
    """The loss, with the reason that the compiler gives where it must not break a graph."""
    reason = (
        f"diffbio.torch.{name} runs a program of JAX, which cannot be part of a graph of PyTorch; "
        "compile without fullgraph=True, which breaks the graph there, or call the loss outside "
        "of what is compiled"
    )
    # Older versions of PyTorch take no reason.
    takes_reason = "reason" in inspect.signature(torch.compiler.disable).parameters
    loss = getattr(diffbio.torch, name).__wrapped__
    return torch.compiler.disable(loss, **({"reason": reason} if takes_reason else {}))


UNCOMPILED = {name: _uncompiled(name) for name in functional.__all__ if name[0].islower()}
