"""The corrected embedding: mixed, the same for the same seed, and written as scverse does."""

import anndata
import numpy as np
import pytest

pytest.importorskip("scanpy", reason="needs the extra: data")

from diffbio.datasets import starmap
from diffbio.scverse import correct_batches, score
from tests.datasets.fetched import real_or_skip
from tests.scverse.objects import COMPILED_ONCE, annotated, values

pytestmark = COMPILED_ONCE


def corrected(adata, **options):
    correct_batches(adata, "batch", progress=False, **{"n_steps": 20, **options})
    return adata.obsm[options.get("key_added", "X_diffbio")]


@pytest.fixture(scope="module")
def usual():
    return corrected(annotated())


def test_batches_are_mixed_and_types_kept_apart():
    adata = annotated()
    corrected(adata, n_steps=100)
    found = values(
        score(adata, batch_key="batch", label_key="type", use_rep=["X_pca", "X_diffbio"])
    )
    assert found["X_diffbio", "batch_mixing"] < found["X_pca", "batch_mixing"] - 0.2
    assert found["X_diffbio", "ilisi"] > found["X_pca", "ilisi"] + 0.2
    assert found["X_diffbio", "clisi"] > 0.95


def test_the_seed_decides_the_bits(usual):
    same, other = (corrected(annotated(), seed=seed) for seed in (0, 4))
    np.testing.assert_array_equal(usual, same)
    assert not np.array_equal(usual, other)


def test_the_unit_does_not_matter(usual):
    adata = annotated()
    adata.obsm["X_pca"] *= 64
    np.testing.assert_allclose(corrected(adata), 64 * usual, rtol=1e-3, atol=1e-2)


@pytest.mark.parametrize("dtype", [np.float16, np.float64])
def test_the_result_is_float32_and_the_input_is_kept(dtype):
    adata = annotated()
    adata.obsm["X_pca"] = adata.obsm["X_pca"].astype(dtype)
    before = adata.copy()
    result = corrected(adata)
    assert result.dtype == np.float32
    assert result.shape == before.obsm["X_pca"].shape
    np.testing.assert_array_equal(adata.obsm["X_pca"], before.obsm["X_pca"])
    assert list(adata.obs) == list(before.obs)


def test_the_settings_are_kept_and_survive_a_file(tmp_path):
    adata = annotated()
    result = corrected(adata, key_added="X_mine", seed=5)
    adata.write_h5ad(tmp_path / "cells.h5ad")
    read = anndata.read_h5ad(tmp_path / "cells.h5ad")
    assert dict(read.uns["X_mine"]["params"]) == {
        "batch_key": "batch",
        "use_rep": "X_pca",
        "n_steps": 20,
        "seed": 5,
        "n_neighbors": 30,
        "bandwidth": "perplexity",
        "proportions": "observed",
    }
    np.testing.assert_array_equal(read.obsm["X_mine"], result)


def test_a_view_becomes_a_copy():
    adata = annotated()
    view = adata[:]
    with pytest.warns(UserWarning, match="view"):
        corrected(view)
    assert not view.is_view
    assert "X_diffbio" in view.obsm
    assert "X_diffbio" not in adata.obsm
    assert "X_diffbio" not in adata.uns


@pytest.mark.slow
def test_starmap_is_corrected_as_published():
    cells = real_or_skip(starmap)
    cells = cells.subset(cells.cluster_labels >= 0)
    adata = annotated(cells)
    correct_batches(adata, "batch", progress=False)
    found = values(
        score(adata, batch_key="batch", label_key="type", use_rep=["X_pca", "X_diffbio"])
    )
    assert found["X_pca", "ilisi"] == pytest.approx(0.612, abs=0.002)
    assert found["X_diffbio", "ilisi"] > 0.80
    assert found["X_diffbio", "clisi"] >= found["X_pca", "clisi"]
