"""AnnData objects as scanpy makes them."""

import anndata
import numpy as np
import pytest
import scanpy as sc

from diffbio.datasets import CellData, simulate_clusters

__all__ = ["CELLS", "COMPILED_ONCE", "annotated", "layers_of_velocity", "values", "with_neighbors"]

# One process runs all these tests: they share their programs.
COMPILED_ONCE = pytest.mark.xdist_group("scverse")

CELLS = simulate_clusters(
    240, n_clusters=4, n_batches=3, batch_effect=0.4, n_genes=40, n_components=8, seed=1
)


def annotated(cells: CellData = CELLS) -> anndata.AnnData:
    """The cells with categorical batches and types, and their components."""
    obs = {"batch": cells.batch_labels.astype(str), "type": cells.cluster_labels.astype(str)}
    adata = anndata.AnnData(obs=obs, obsm={"X_pca": cells.embeddings.copy()})
    adata.strings_to_categoricals()
    return adata


def with_neighbors(adata: anndata.AnnData, n_neighbors: int = 15, **options) -> anndata.AnnData:
    """The object with scanpy's neighbours of its components, which are exact for few cells."""
    sc.pp.neighbors(adata, n_neighbors, use_rep="X_pca", **options)
    return adata


def values(scores) -> dict[tuple[str, str], float]:
    """The values of a table by representation and loss."""
    return scores.set_index(["representation", "loss"])["value"].to_dict()


def layers_of_velocity(n_cells: int = 60, n_genes: int = 6) -> dict[str, np.ndarray]:
    """Layers as scVelo writes them."""
    rng = np.random.default_rng(0)
    draws = rng.normal(size=(2, n_cells, n_genes)).astype(np.float32)
    return {"Ms": draws[0], "velocity": draws[1]}
