"""From counts to principal components, the same for simulated and for real cells."""

import numpy as np

from diffbio.datasets._grid import snap

__all__ = ["log_normalize", "principal_components", "row_chunks"]

Array = np.ndarray

_CHUNK_VALUES = 2**21  # of float64: 16 MiB
_LOADING_BITS = 18
_SCORE_BITS = 13


def log_normalize(counts: Array) -> Array:
    """``log1p(counts * median library / library)``, the library being a cell's total.

    Args:
        counts: ``(n_cells, n_genes)`` counts; a cell without any stays at 0.

    Returns:
        ``(n_cells, n_genes)`` float32.
    """
    counts = np.asarray(counts, dtype=np.float64)
    libraries = counts.sum(axis=1, keepdims=True)
    return np.log1p(counts * (np.median(libraries) / np.maximum(libraries, 1))).astype(np.float32)


def principal_components(values: Array, n_components: int) -> Array:
    """Scores on the leading components, by subspace iteration in float64.

    Values are rounded to multiples of 2^-16 and loadings to multiples of 2^-18, so that the
    scores are exact sums, the same bits whatever the BLAS; then they are rounded to 2^-13. What
    differs between processors is the loadings before they are rounded, by some 1e-13: of 2000 x
    50 loadings, one rounds to another multiple with probability 1e-4.

    Args:
        values: ``(n_cells, n_genes)``, below 2^10; the function rounds them in place, to save
            memory.
        n_components: number of components, at most the smaller dimension.

    Returns:
        ``(n_cells, n_components)`` float32; a component smaller than the rounding is 0.
    """
    for cells in row_chunks(*values.shape):
        values[cells] = snap(values[cells])
    mean = snap(values.mean(axis=0, dtype=np.float64), 24)
    loadings = _loadings(values, mean, min(n_components, *values.shape))
    scores = np.empty((len(values), loadings.shape[1]), np.float32)
    for cells in row_chunks(*values.shape):
        scores[cells] = snap((values[cells] - mean) @ loadings, _SCORE_BITS)
    return scores


def _loadings(values: Array, mean: Array, n_components: int) -> Array:
    """Rounded unit loadings, the largest of each positive."""
    width = min(n_components + 10, *values.shape)
    basis = np.random.default_rng(0).normal(size=(values.shape[1], width))
    for _ in range(6):
        basis, _ = np.linalg.qr(_times_scatter(values, mean, basis))
    sizes, axes = np.linalg.eigh(basis.T @ _times_scatter(values, mean, basis))
    sizes, axes = sizes[::-1][:n_components], axes[:, ::-1][:, :n_components]
    loadings = snap(basis @ axes, _LOADING_BITS)
    largest = np.abs(loadings).argmax(axis=0)  # of rounded numbers: a tie is a tie everywhere
    signs = np.sign(loadings[largest, np.arange(n_components)])
    return loadings * np.where(sizes > len(values) * 4.0**-_SCORE_BITS, signs, 0)


def _times_scatter(values: Array, mean: Array, basis: Array) -> Array:
    """The scatter matrix, which is the covariance times the number of cells, times the basis."""
    product = np.zeros_like(basis)
    for cells in row_chunks(*values.shape):
        centred = values[cells] - mean
        product += centred.T @ (centred @ basis)
    return product


def row_chunks(n_cells: int, n_genes: int) -> list[slice]:
    """Slices that together are all cells, each of as many as fit into a few MiB of values."""
    length = max(_CHUNK_VALUES // n_genes, 1)
    return [slice(at, at + length) for at in range(0, n_cells, length)]
