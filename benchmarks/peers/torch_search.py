"""The exact search in PyTorch: blocks of a product and ``topk``, as a flat index of FAISS works."""

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor

from benchmarks.catalog.cases import case
from benchmarks.peers.torch_device import completed, tensor

__all__ = ["prepare"]

_BLOCK_ELEMENTS = 1 << 28


def prepare(loss: str, transform: str, arrays: Mapping[str, Any]) -> Callable[[], Any]:
    """The k nearest others and the cell itself, without loss or gradient."""
    points = tensor(next(iter(arrays.values())))
    n_neighbors = case(loss).n_neighbors
    assert n_neighbors is not None, loss
    block = max(1, min(len(points), _BLOCK_ELEMENTS // len(points)))

    def search() -> tuple[Tensor, Tensor]:
        squares = (points * points).sum(1)
        found = [
            torch.addmm(squares, rows, points.T, alpha=-2).topk(n_neighbors + 1, largest=False)
            for rows in points.split(block)
        ]
        distances = torch.cat([values for values, _ in found]) + squares[:, None]
        return distances, torch.cat([indices for _, indices in found])

    return completed(search)
