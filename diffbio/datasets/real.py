"""Real cells."""

import numpy as np

from diffbio.datasets._cells import CellData, soft_assignments

__all__ = ["pbmc700"]


def pbmc700(*, dt: float = 0.1, noise: float = 0.5, seed: int = 0) -> CellData:
    """700 peripheral blood cells of Zheng et al. 2017, as scanpy ships them.

    Needs the extra ``data``; works offline. The 50 principal components and the ten
    published cell types are the data's own. They come from one batch, so the three
    phases of the cell cycle stand in for batches: a covariate that integration methods
    are asked to mix; batches of an experiment are in :func:`starmap` and
    :func:`pbmc_two_batches`. The cells have no velocities, so the future is one diffusion step,
    the mean expression of the 15 nearest cells, and the velocity leads there with noise.

    Args:
        dt: time step.
        noise: standard deviation of the velocity's error, relative to its own per gene.
        seed: seed of that error.

    Returns:
        :class:`CellData` with every field.

    Raises:
        ImportError: scanpy is not installed.

    References:
        Zheng et al., Massively parallel digital transcriptional profiling of single cells,
        Nature Communications 8, 2017.

    Example:
        >>> from diffbio.datasets import pbmc700
        >>> cells = pbmc700()
        >>> cells.embeddings.shape, cells.batch_names
        ((700, 50), ('G1', 'G2M', 'S'))
    """
    import jax.numpy as jnp
    import scanpy

    from diffbio.neighbors import nearest_neighbors

    cells = scanpy.datasets.pbmc68k_reduced()
    embeddings = np.asarray(cells.obsm["X_pca"], dtype=np.float32)
    expression = np.asarray(cells.X, dtype=np.float32)
    labels = np.asarray(cells.obs["bulk_labels"].cat.codes, dtype=np.int32)
    phases = cells.obs["phase"].astype("category").cat
    neighbors = np.asarray(nearest_neighbors(jnp.asarray(embeddings), 15).indices)
    future = expression[neighbors].mean(axis=1)
    velocity = (future - expression) / np.float32(dt)
    rng = np.random.default_rng(seed)
    velocity += noise * velocity.std(axis=0) * rng.standard_normal(velocity.shape, np.float32)
    return CellData(
        name=f"700 PBMC (scanpy pbmc68k_reduced), cycle phases as batches, velocity seed {seed}",
        embeddings=embeddings,
        batch_labels=np.asarray(phases.codes, dtype=np.int32),
        cluster_labels=labels,
        assignments=soft_assignments(embeddings, labels, int(labels.max()) + 1),
        expression=expression,
        velocity=velocity,
        future_expression=future,
        dt=dt,
        batch_names=tuple(phases.categories),
        cluster_names=tuple(cells.obs["bulk_labels"].cat.categories),
    )
