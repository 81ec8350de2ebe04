"""scib-metrics' silhouette of the hard labels: compactness evaluated without a gradient."""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from scib_metrics import silhouette_label

__all__ = ["prepare"]


def prepare(loss: str, transform: str, arrays: Mapping[str, Any]) -> Callable[[], Any]:
    """The silhouette, with every cell labelled by its largest assignment."""
    points = np.asarray(arrays["embeddings"])
    labels = np.asarray(arrays["assignments"]).argmax(axis=1)
    return lambda: silhouette_label(points, labels)
