"""Differentiable losses for single-cell models, in JAX and Flax NNX.

The maths lives in :mod:`diffbio.functional`, the configured modules in
:mod:`diffbio.losses`, the exact neighbour search in :mod:`diffbio.neighbors`, cells with
known truth in :mod:`diffbio.datasets`, small models in :mod:`diffbio.models`, their training
in :mod:`diffbio.training`, losses over many devices in :mod:`diffbio.sharding`. Scores and batch
correction of AnnData objects are in :mod:`diffbio.scverse`, the losses for PyTorch in
:mod:`diffbio.torch`.
Each is imported when it is first used.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

# Before anything else, so that no fork is missed.
from diffbio import _forked as _forked

if TYPE_CHECKING:
    from diffbio import (
        datasets,
        functional,
        losses,
        models,
        neighbors,
        scverse,
        sharding,
        torch,
        training,
    )

    __version__: str

__all__ = [
    "__version__",
    "datasets",
    "functional",
    "losses",
    "models",
    "neighbors",
    "scverse",
    "sharding",
    "torch",
    "training",
]


def __getattr__(name: str) -> Any:
    if name == "__version__":
        from importlib.metadata import version

        return version(__name__)
    if name in __all__:
        return import_module(f"{__name__}.{name}")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
