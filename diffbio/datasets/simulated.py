"""Seeded single-cell data with known truth.

Simulations are drawn as count matrices the way single-cell data are: a mean profile per
cell, library sizes, negative binomial counts, then normalisation to the median library,
``log1p`` and PCA.

The arrays of a seed are the same bits on every x86-64 processor: all is drawn and reduced in
float64, and rounded where the BLAS or the vector extensions would show (see ``_grid``).
"""

from collections.abc import Callable

import numpy as np

from diffbio.datasets._cells import CellData, soft_assignments
from diffbio.datasets._grid import snap
from diffbio.datasets._normalize import principal_components, row_chunks

__all__ = ["simulate_clusters", "simulate_velocity"]

Array = np.ndarray

_DISPERSION = 0.3
_MEDIAN_LIBRARY = 2000.0


def simulate_clusters(
    n_cells: int,
    *,
    n_clusters: int = 20,
    n_batches: int = 3,
    batch_effect: float = 0.15,
    n_genes: int = 200,
    n_components: int = 50,
    seed: int = 0,
) -> CellData:
    """Cells of known clusters in known batches, from a seed.

    The arrays are the same bits whatever the BLAS kernel, the vector extensions and the number
    of threads. Verified on x86-64 with OpenBLAS's kernels for SSE3, AVX2 and AVX-512, with and
    without NumPy's vector extensions, on 1 and 2 threads, up to 65536 cells.

    Args:
        n_cells: number of cells; every cluster and batch is drawn with equal probability.
        n_clusters: number of cell types.
        n_batches: number of batches.
        batch_effect: standard deviation of a batch's shift of log expression per gene; the
            clusters' is 1. At 0 the batches are exchangeable.
        n_genes: number of genes.
        n_components: dimensions of the embedding.
        seed: seed of everything drawn.

    Returns:
        :class:`CellData` with embeddings, labels and soft k-means assignments to the
        true clusters' means in the embedding.

    Example:
        >>> cells = simulate_clusters(200, n_clusters=4, n_batches=2, seed=0)
        >>> cells.embeddings.shape, cells.assignments.shape
        ((200, 50), (200, 4))
        >>> sorted(set(cells.batch_labels.tolist()))
        [0, 1]
    """
    rng = np.random.default_rng(seed)
    baseline = rng.normal(0, 1, n_genes)
    programs = rng.normal(0, 1, (n_clusters, n_genes))
    shifts = rng.normal(0, batch_effect, (n_batches, n_genes))
    clusters = rng.integers(n_clusters, size=n_cells).astype(np.int32)
    batches = rng.integers(n_batches, size=n_cells).astype(np.int32)
    profiles = np.exp(baseline + programs[:, None] + shifts)

    def means(cells: slice) -> Array:
        return profiles[clusters[cells], batches[cells]]

    embeddings = principal_components(_log_counts(means, n_cells, n_genes, rng), n_components)
    return CellData(
        name=f"simulated clusters, {n_cells} cells, batch effect {batch_effect:g}, seed {seed}",
        embeddings=embeddings,
        batch_labels=batches,
        cluster_labels=clusters,
        assignments=soft_assignments(embeddings, clusters, n_clusters),
    )


def simulate_velocity(
    n_cells: int,
    *,
    n_genes: int = 2000,
    dt: float = 0.1,
    noise: float = 0.5,
    n_components: int = 50,
    seed: int = 0,
) -> CellData:
    """Cells on the induction path of linear RNA kinetics, with their exact future.

    Per gene, unspliced u and spliced s follow ``u' = a - b u``, ``s' = b u - c s`` from 0,
    with a production rate a of the cell's own (log-normal, sigma 0.3) as extrinsic noise;
    the expression is s at a cell's own time t. The future is the exact solution at
    ``t + dt``, and the velocity is the mean velocity in between, so that without noise
    the velocity consistency loss is 0. Expression and velocity are rounded to multiples of
    2^-16.

    The arrays are the same bits whatever the BLAS kernel, the vector extensions and the number
    of threads, verified as for :func:`simulate_clusters`.

    Args:
        n_cells: number of cells, their times uniform in [1, 6], past the empty beginning.
        n_genes: number of genes.
        dt: time step.
        noise: standard deviation of the velocity's error, in units of the gene's
            root-mean-square velocity.
        n_components: dimensions of the embedding of the counts drawn from s.
        seed: seed of everything drawn.

    Returns:
        :class:`CellData` with expression, velocity, future expression and embeddings.

    Example:
        >>> import numpy as np
        >>> cells = simulate_velocity(100, n_genes=60, noise=0.0)
        >>> moved = cells.expression + cells.dt * cells.velocity
        >>> np.allclose(moved, cells.future_expression, atol=1e-4)
        True
    """
    rng = np.random.default_rng(seed)
    production, splicing, decay = rng.gamma(4.0, 0.25, (3, n_genes))
    times = rng.uniform(1, 6, n_cells)
    expression = np.empty((n_cells, n_genes), np.float32)
    velocity = np.empty_like(expression)
    squares = np.zeros(n_genes)
    for cells in row_chunks(n_cells, n_genes):
        spliced, change = _spliced(times[cells, None], dt, production, splicing, decay)
        rates = np.exp(0.3 * rng.standard_normal(spliced.shape))
        expression[cells] = snap(rates * spliced)
        velocity[cells] = snap(rates * change / dt)
        squares += np.square(velocity[cells], dtype=np.float64).sum(axis=0)
    future = expression + np.float32(dt) * velocity
    typical = np.sqrt(squares / n_cells)
    for cells in row_chunks(n_cells, n_genes):
        velocity[cells] += noise * typical * rng.standard_normal(velocity[cells].shape)
    log_counts = _log_counts(
        lambda cells: expression[cells].astype(float) + 1e-3, n_cells, n_genes, rng
    )
    return CellData(
        name=f"simulated kinetics, {n_cells} cells, {n_genes} genes, noise {noise:g}, seed {seed}",
        embeddings=principal_components(log_counts, n_components),
        expression=expression,
        velocity=velocity,
        future_expression=future,
        dt=dt,
    )


def _spliced(times: Array, dt: float, a: Array, b: Array, c: Array) -> tuple[Array, Array]:
    """Spliced RNA at ``times`` after induction, and its change until ``times + dt``.

    The solution of the linear kinetics is a sum of two exponentials and a constant.
    """
    slow, fast = a * b / (c * (c - b)) * np.exp(-c * times), a / (c - b) * np.exp(-b * times)
    return a / c + slow - fast, slow * np.expm1(-c * dt) - fast * np.expm1(-b * dt)


def _log_counts(
    profiles: Callable[[slice], Array], n_cells: int, n_genes: int, rng: np.random.Generator
) -> Array:
    """Log-normalised negative binomial counts of the cells' mean profiles."""
    log_counts = np.empty((n_cells, n_genes), np.float32)
    libraries = rng.lognormal(np.log(_MEDIAN_LIBRARY), 0.3, n_cells)
    for cells in row_chunks(n_cells, n_genes):
        means = profiles(cells)
        means = means / means.sum(axis=1, keepdims=True) * libraries[cells, None]
        rates = means * rng.standard_gamma(1 / _DISPERSION, means.shape) * _DISPERSION
        counts = rng.poisson(rates)
        totals = np.maximum(counts.sum(axis=1, keepdims=True), 1)
        log_counts[cells] = np.log1p(counts * (_MEDIAN_LIBRARY / totals))
    return log_counts
