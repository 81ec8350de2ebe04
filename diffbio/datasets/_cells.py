"""The record of cells that every source returns, simulated or real."""

import hashlib
from dataclasses import dataclass, fields, replace

import numpy as np

from diffbio.datasets._grid import snap

__all__ = ["CellData", "soft_assignments"]

Array = np.ndarray


@dataclass(frozen=True)
class CellData:
    """Cells and what their source knows about them; a field that it does not know is None.

    Attributes:
        name: source and parameters.
        embeddings: ``(n_cells, n_components)`` float32 principal components.
        batch_labels: ``(n_cells,)`` int32, from 0.
        cluster_labels: ``(n_cells,)`` int32 true or published cell types, from 0; -1 where a
            cell has none.
        assignments: ``(n_cells, n_clusters)`` float32 soft assignments, rows summing to 1.
        expression: ``(n_cells, n_genes)`` float32.
        velocity: ``(n_cells, n_genes)`` float32, expression per unit of time.
        future_expression: ``(n_cells, n_genes)`` float32, the expression after ``dt``.
        dt: time between the two.
        counts: ``(n_cells, n_genes)`` float32 molecules counted.
        spliced: ``(n_cells, n_genes)`` float32 spliced RNA.
        unspliced: ``(n_cells, n_genes)`` float32 unspliced RNA, in the same unit.
        positions: ``(n_cells, 2)`` float32 places in the tissue, in pixels.
        batch_names: what the source calls the batches, by label.
        cluster_names: what the source calls the cell types, by label.

    Example:
        >>> from diffbio.datasets import simulate_clusters
        >>> cells = simulate_clusters(100, n_batches=2)
        >>> first = cells.subset(cells.batch_labels == 0)
        >>> first.n_cells == list(cells.batch_labels).count(0)
        True
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
    counts: Array | None = None
    spliced: Array | None = None
    unspliced: Array | None = None
    positions: Array | None = None
    batch_names: tuple[str, ...] | None = None
    cluster_names: tuple[str, ...] | None = None

    @property
    def n_cells(self) -> int:
        """Number of cells."""
        return len(next(iter(self.arrays().values())))

    def subset(self, mask: Array) -> "CellData":
        """The cells where a mask holds, in their order; labels and names keep their meaning.

        Args:
            mask: ``(n_cells,)`` bool.

        Raises:
            ValueError: the mask is of another shape or dtype.
        """
        mask = np.asarray(mask)
        if mask.shape != (self.n_cells,) or mask.dtype != bool:
            raise ValueError(
                f"mask must be bool of shape ({self.n_cells},), got {mask.dtype} of {mask.shape}"
            )
        chosen = {name: array[mask] for name, array in self.arrays().items()}
        return replace(self, name=f"{self.name}, {mask.sum()} of {mask.size} cells", **chosen)

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
    """Soft k-means memberships: softmax of -d^2 / V, V the mean d^2 to a cell's own mean.

    Means and V are those of the labelled cells; a cell of label -1 gets memberships, too.
    Means are rounded to multiples of 2^-16 and V to a float32. The squared distances of
    principal components, which are multiples of 2^-13, are then exact sums. The exponential is
    not: of 65536 x 20 memberships in float32, processors differ in one with probability 1e-4.
    """
    points = embeddings.astype(np.float64)
    means = np.zeros((n_clusters, points.shape[1]))
    labelled = np.flatnonzero(labels >= 0)
    for k in np.unique(labels[labelled]):
        means[k] = snap(points[labels == k].mean(axis=0))
    squares = (points**2).sum(axis=1)[:, None] - 2 * points @ means.T + (means**2).sum(axis=1)
    scale = np.float32(np.mean(squares[labelled, labels[labelled]]))
    logits = -squares / scale
    memberships = np.exp(logits - logits.max(axis=1, keepdims=True))
    return (memberships / memberships.sum(axis=1, keepdims=True)).astype(np.float32)
