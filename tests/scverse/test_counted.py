"""Cells without a category are as if they were not there, and some categories are no groups."""

import warnings
from pathlib import Path

import anndata
import numpy as np
import pandas as pd
import pytest

pytest.importorskip("scanpy", reason="needs the extra: data")

import diffbio
from diffbio.scverse import correct_batches, score
from tests.scverse.objects import CELLS, COMPILED_ONCE, annotated, layers_of_velocity, values
from tests.tiers import tiered_rows

pytestmark = [pytest.mark.usefixtures("compiled_quickly"), COMPILED_ONCE]

N = len(CELLS.embeddings)


@pytest.mark.parametrize(
    ("key", "n_known"),
    tiered_rows(
        [(key, n_known) for key in ("batch_key", "label_key") for n_known in (12, 95)]
        + [("batch_key", 25)],
        quick=[("batch_key", 25)],
    ),
)
def test_the_cells_that_count_have_the_values_of_an_object_of_them_alone(key, n_known):
    """Numbers of neighbours and perplexities among them."""
    known = np.isin(np.arange(N), np.random.default_rng(n_known).choice(N, n_known, replace=False))
    adata = annotated()
    column = {"batch_key": "batch", "label_key": "type"}[key]
    adata.obs.loc[~known, column] = np.nan
    alone = adata[known].copy()
    found, expected = (score(a, **{key: column}, per_cell=True) for a in (adata, alone))
    np.testing.assert_array_equal(found["n_cells"], n_known)
    np.testing.assert_allclose(found["value"], expected["value"], rtol=1e-4, atol=1e-6)
    for name in alone.obs.columns.difference(["batch", "type"]):
        assert adata.obs[name][~known].isna().all()
        np.testing.assert_allclose(adata.obs[name][known], alone.obs[name], rtol=1e-4, atol=1e-5)


def with_parts(missing=()):
    """Donors and chemistries, whose combinations are of unequal size and do not all occur."""
    adata = annotated()
    rng = np.random.default_rng(3)
    donor, chemistry = rng.integers(0, 3, N), rng.integers(0, 2, N)
    chemistry[donor == 2] = 0
    adata.obs["donor"] = pd.Categorical.from_codes(donor, ["c", "b", "a"])
    adata.obs["chemistry"] = pd.array(chemistry, dtype="Int8")
    adata.obs.loc[adata.obs_names[list(missing)], "chemistry"] = pd.NA
    joined = pd.Series([f"{d}, {c}" for d, c in zip(donor, chemistry, strict=True)])
    joined[list(missing)] = None
    adata.obs["joined"] = joined.to_numpy()
    return adata


@pytest.mark.parametrize("missing", [(), (3, 4, 100)])
def test_several_keys_are_one_column_of_their_combinations(missing):
    adata = with_parts(missing)
    assert adata.obs["joined"].nunique() == 5
    expected = score(adata, batch_key="joined")
    for keys in (["donor", "chemistry"], ("chemistry", "donor"), ["donor", "chemistry", "donor"]):
        found = score(adata, batch_key=keys)
        np.testing.assert_allclose(found["value"], expected["value"], rtol=1e-5)
        np.testing.assert_array_equal(found["n_cells"], N - len(missing))


def test_one_key_in_a_list_is_that_key():
    adata = annotated()
    found = score(adata, batch_key=["batch"])
    pd.testing.assert_frame_equal(found, score(adata, batch_key="batch"))


def test_several_keys_of_one_combination_are_named_with_it():
    adata = with_parts()
    one = adata[(adata.obs["joined"] == "1, 1").to_numpy()].copy()
    message = r"batch_key=\['donor', 'chemistry'\] must hold .* categories, got \[\('b', 1\)\]"
    with pytest.raises(ValueError, match=message):
        score(one, batch_key=["donor", "chemistry"])


@pytest.mark.parametrize(
    ("single", "other"),
    [("batch_key", "label_key"), ("label_key", "batch_key"), ("batch_key", "velocity_key")],
)
def test_a_key_of_one_category_leaves_what_the_other_alone_gives(single, other):
    layers = layers_of_velocity(N)
    adata = anndata.AnnData(layers=layers, obs=annotated().obs, obsm=annotated().obsm)
    adata.obs["one"] = "a"
    column = {"label_key": "type", "batch_key": "batch", "velocity_key": "velocity"}[other]
    with pytest.warns(UserWarning, match=rf"{single}='one' holds one category, \['a'\]"):
        found = score(adata, **{single: "one", other: column})
    pd.testing.assert_frame_equal(found, score(adata, **{other: column}))
    with pytest.raises(ValueError, match=rf"{single}='one' must hold at least two .* \['a'\]"):
        score(adata, **{single: "one"})


def test_a_column_without_any_value_is_an_error_beside_others_too():
    adata = annotated()
    adata.obs["none"] = np.nan
    with pytest.raises(ValueError, match=r"batch_key='none' must hold .*, got no value at all"):
        score(adata, batch_key="none", label_key="type")


@pytest.mark.slow
def test_a_category_for_each_cell_is_told():
    adata = annotated()[:60].copy()
    adata.obs["barcode"] = adata.obs_names
    adata.obs["half"] = np.where(np.arange(60) < 40, adata.obs_names, None)
    adata.obs["sample"] = np.arange(60) // 2
    adata.obs["replicate"] = np.arange(60) % 2
    for keys, n in ({"batch_key": "barcode"}, 60), ({"label_key": "half"}, 40):
        with pytest.warns(UserWarning, match=f"='.*' holds another value in each of {n} cells"):
            score(adata, **keys)
    with pytest.warns(UserWarning, match=r"batch_key=\['sample', 'replicate'\] holds another"):
        correct_batches(adata, ["sample", "replicate"], n_steps=1, progress=False)
    with warnings.catch_warnings(action="error"):
        score(adata, batch_key="sample", label_key="replicate")


def test_the_warning_points_at_the_call():
    adata = annotated()[:60].copy()
    adata.obs["barcode"] = adata.obs_names
    with pytest.warns(UserWarning, match="each of 60 cells") as caught:
        score(adata, batch_key="barcode")
    library = Path(diffbio.__file__).parent
    assert library not in Path(caught[0].filename).parents


def test_numbers_of_labelled_cells_in_the_example():
    """30 of 300 cells are labelled, all apart."""
    rng = np.random.default_rng(0)
    types = np.arange(300) % 2
    x = (rng.normal(size=(300, 5)) + 10 * types[:, None]).astype(np.float32)
    adata = anndata.AnnData(obs={"type": types.astype(str)}, obsm={"X_pca": x})
    adata.obs["few"] = np.where(np.arange(300) < 30, adata.obs["type"], None)
    assert values(score(adata, label_key="few"))["X_pca", "clisi"] > 0.99
