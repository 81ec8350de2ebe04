"""The corrected embedding: mixed, the same for the same seed, and written as scverse does."""

import anndata
import jax.numpy as jnp
import numpy as np
import pytest

from diffbio.functional import RECOMMENDED_MIXING, Perplexity
from diffbio.losses import BatchMixingLoss

pytest.importorskip("scanpy", reason="needs the extra: data")

from diffbio.datasets import starmap
from diffbio.functional import batch_mixing_loss
from diffbio.scverse import correct_batches, score
from diffbio.scverse._correct import _objective
from tests.datasets.fetched import real_or_skip
from tests.scverse.objects import CELLS, COMPILED_ONCE, annotated, values

pytestmark = [pytest.mark.usefixtures("compiled_quickly"), COMPILED_ONCE]


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


@pytest.mark.parametrize("kind", [np.int64, np.uint8, np.array])
def test_a_seed_of_any_integer_type_is_that_seed(kind, usual):
    adata = annotated()
    np.testing.assert_array_equal(corrected(adata, seed=kind(0), n_steps=kind(20)), usual)
    assert adata.uns["X_diffbio"]["params"]["seed"] == 0
    assert type(adata.uns["X_diffbio"]["params"]["seed"]) is int


def test_several_keys_are_one_column_of_their_combinations(usual, tmp_path):
    parts = annotated()
    codes = parts.obs["batch"].astype(int)
    parts.obs["donor"], parts.obs["chemistry"] = codes.isin([0, 1]), codes.isin([1])
    correct_batches(parts, ["donor", "chemistry"], n_steps=20, progress=False)
    joined = annotated()
    # The order of the combinations: (False, False), (True, False), (True, True).
    joined.obs["batch"] = codes.map({2: 0, 0: 1, 1: 2})
    np.testing.assert_array_equal(parts.obsm["X_diffbio"], corrected(joined))
    parts.write_h5ad(tmp_path / "cells.h5ad")
    read = anndata.read_h5ad(tmp_path / "cells.h5ad")
    assert list(read.uns["X_diffbio"]["params"]["batch_key"]) == ["donor", "chemistry"]


def test_the_filled_up_minibatch_counts_as_its_cells_alone():
    x, ids = jnp.asarray(CELLS.embeddings, jnp.float32), jnp.asarray(CELLS.batch_labels)
    moved, where = x + 0.1, jnp.arange(240) < 20
    result, batch = {"corrected_features": moved}, {"features": x, "batch_ids": ids}
    filled = _objective(BatchMixingLoss.recommended(3))(result, batch, where)
    alone = {**RECOMMENDED_MIXING, "n_neighbors": 19, "temperature": Perplexity(19 / 3)}
    mixing = batch_mixing_loss(moved[where], ids[where], **alone)
    assert float(filled) == pytest.approx(float(mixing) + 8 * 0.01, rel=1e-4)


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
        "temperature": "perplexity",
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
