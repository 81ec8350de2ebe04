"""From counts to principal components, the same for simulated and for real cells."""

import numpy as np

__all__ = ["log_normalize", "principal_components"]

Array = np.ndarray


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
    """Scores on the leading components, by subspace iteration.

    The scores are rounded to 1e-4 and their signs are fixed, so that the digest seldom
    depends on the BLAS.

    Args:
        values: ``(n_cells, n_genes)``; the function centres them in place, to save memory.
        n_components: number of components, at most the smaller dimension.

    Returns:
        ``(n_cells, n_components)`` float32.
    """
    values -= values.mean(axis=0)
    n_components = min(n_components, *values.shape)
    width = min(n_components + 10, *values.shape)
    basis = np.random.default_rng(0).normal(size=(values.shape[1], width)).astype(values.dtype)
    for _ in range(6):
        basis, _ = np.linalg.qr(values.T @ (values @ basis))
    left, sizes, axes = np.linalg.svd(values @ basis, full_matrices=False)
    scores = (left * sizes)[:, :n_components]
    loadings = (basis @ axes.T)[:, :n_components]
    largest = np.abs(loadings).argmax(axis=0)
    signs = np.sign(loadings[largest, np.arange(loadings.shape[1])])
    return np.round(scores * signs, 4).astype(np.float32)
