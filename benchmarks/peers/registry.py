"""The peers: what a practitioner would use instead of the losses, one file for each.

The PyTorch and the dense JAX losses are the same functions, values and gradients;
``diffbio.torch`` is what the losses cost when PyTorch calls them. FAISS and
scikit-learn are the neighbour search alone; scib-metrics evaluates mixing and
compactness without gradients. A peer that is not installed is named and left out.

The folder ``peers`` has no ``__init__``: asv imports every module it finds in packages, and
must not find those that need a package that is not installed.
"""

import importlib
import importlib.util
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

__all__ = ["PEERS", "Peer"]

Call = Callable[[], Any]
_DENSE = (
    "batch_mixing_recommended",
    "batch_mixing",
    "batch_mixing_local",
    "compactness",
    "velocity",
    "velocity_transition",
    "shannon",
    "simpson",
)
_SEARCHES = (
    "batch_mixing_recommended",
    "batch_mixing",
    "batch_mixing_local",
    "velocity_transition",
)


@dataclass(frozen=True)
class Peer:
    """Another way to compute a loss, or a part of it.

    Attributes:
        name: what a table calls it.
        module: the file in ``peers`` that implements ``prepare(loss, transform, arrays)``,
            which returns the call to time.
        requires: the package it needs.
        losses: the catalog's losses that it stands beside.
        most_cells: cells beyond which it is too slow, or too large, to be measured.
        same_function: whether it computes the loss itself.
    """

    name: str
    module: str
    requires: str
    losses: tuple[str, ...]
    most_cells: int
    same_function: bool

    @property
    def installed(self) -> bool:
        """Whether the package is there."""
        return importlib.util.find_spec(self.requires) is not None

    def prepare(self, loss: str, transform: str, arrays: Mapping[str, Any]) -> Call:
        """The call to time, with its inputs converted beforehand."""
        return importlib.import_module(f"benchmarks.peers.{self.module}").prepare(
            loss, transform, arrays
        )


PEERS = (
    Peer("PyTorch", "torch_losses", "torch", _DENSE, 16384, True),
    Peer("diffbio.torch", "torch_bridge", "torch", _DENSE, 16384, True),
    Peer("dense JAX", "dense_jax", "jax", _DENSE, 16384, True),
    Peer("FAISS search", "faiss_search", "faiss", _SEARCHES, 65536, False),
    Peer("PyTorch search", "torch_search", "torch", _SEARCHES, 65536, False),
    Peer("scikit-learn search", "sklearn_search", "sklearn", _SEARCHES, 16384, False),
    Peer("scib-metrics iLISI", "scib_ilisi", "scib_metrics", ("batch_mixing",), 4096, False),
    Peer(
        "scib-metrics silhouette", "scib_silhouette", "scib_metrics", ("compactness",), 4096, False
    ),
)
