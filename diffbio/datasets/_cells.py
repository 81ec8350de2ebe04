"""The record of cells that every source returns, simulated or real."""

import hashlib
from dataclasses import dataclass, fields

import numpy as np

__all__ = ["CellData", "soft_assignments"]

Array = np.ndarray


@dataclass(frozen=True)
class CellData:
    """Cells and what their source knows about them; a field that it does not know is None.

    Attributes:
        name: source and parameters.
        embeddings: ``(n_cells, n_components)`` float32 principal components.
        batch_labels: ``(n_cells,)`` int32.
        cluster_labels: ``(n_cells,)`` int32 true or published cell types.
        assignments: ``(n_cells, n_clusters)`` float32 soft assignments, rows summing to 1.
        expression: ``(n_cells, n_genes)`` float32.
        velocity: ``(n_cells, n_genes)`` float32, expression per unit of time.
        future_expression: ``(n_cells, n_genes)`` float32, the expression after ``dt``.
        dt: time between the two.
    """

    name: str
    embeddings: Array | None = None
    batch_labels: Array | None = None
    cluster_labels: Array | None = None
    assignments: Array | None = None
    expression: Array | None = None
    velocity: Array | None = None
    future_expression: Array | None = None
    dt: float | None = None

    def arrays(self) -> dict[str, Array]:
        """The arrays that are present, by name."""
        values = {field.name: getattr(self, field.name) for field in fields(self)}
        return {name: value for name, value in values.items() if isinstance(value, np.ndarray)}

    @property
    def digest(self) -> str:
        """SHA-256 over names, dtypes, shapes and bytes of the arrays."""
        sha = hashlib.sha256()
        for name, array in self.arrays().items():
            sha.update(f"{name} {array.dtype} {array.shape}\n".encode())
            sha.update(np.ascontiguousarray(array).data)
        return sha.hexdigest()


def soft_assignments(embeddings: Array, labels: Array, n_clusters: int) -> Array:
    """Soft k-means memberships: softmax of -d^2 / V, V the mean d^2 to a cell's own mean."""
    points = embeddings.astype(np.float64)
    means = np.zeros((n_clusters, points.shape[1]))
    for k in np.unique(labels):
        means[k] = points[labels == k].mean(axis=0)
    squares = (points**2).sum(axis=1)[:, None] - 2 * points @ means.T + (means**2).sum(axis=1)
    logits = -squares / np.mean(squares[np.arange(len(labels)), labels])
    memberships = np.exp(logits - logits.max(axis=1, keepdims=True))
    return (memberships / memberships.sum(axis=1, keepdims=True)).astype(np.float32)
