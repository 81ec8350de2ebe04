"""Bad input: the error names the argument, what came, and what there is."""

import anndata
import numpy as np
import pandas as pd
import pytest

pytest.importorskip("scanpy", reason="needs the extra: data")

from diffbio.scverse import correct_batches, score
from tests.scverse.objects import COMPILED_ONCE, annotated, layers_of_velocity, with_neighbors

pytestmark = [pytest.mark.usefixtures("only_our_checks"), COMPILED_ONCE]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"batch_key": "sample"}, "batch_key='sample' is not in adata.obs, which has 'batch', "),
        ({"label_key": "leiden"}, "label_key='leiden' is not in adata.obs, which has 'batch', "),
        ({"use_rep": "X_scvi"}, "use_rep='X_scvi' is not in adata.obsm, which has 'X_pca'"),
        ({"neighbors_key": "n15"}, "neighbors_key='n15' is not in adata.uns, which has 'neigh"),
        ({"velocity_key": "v"}, "velocity_key='v' is not in adata.layers, which has no entries"),
    ],
)
def test_a_missing_key_is_an_error_that_lists_what_is_there(options, message):
    adata = with_neighbors(annotated())
    with pytest.raises(KeyError, match=message):
        score(adata, **{"batch_key": "batch", **options})
    assert not any(name.startswith("diffbio") for name in adata.obs)


def test_a_missing_graph_or_layer_of_expression_is_named():
    adata = with_neighbors(annotated())
    del adata.obsp["distances"]
    message = "distances_key='distances' is not in adata.obsp, which has 'connectivities'"
    with pytest.raises(KeyError, match=message):
        score(adata, batch_key="batch", neighbors_key="neighbors")
    adata = anndata.AnnData(layers={"velocity": layers_of_velocity()["velocity"]})
    with pytest.raises(KeyError, match=r"'Ms' is not in adata.layers, which has 'velocity'"):
        score(adata, velocity_key="velocity")


def changed(change):
    adata = with_neighbors(annotated())
    change(adata)
    return adata


def obs(**columns):
    return lambda adata: [adata.obs.__setitem__(name, v) for name, v in columns.items()]


def obsm(array):
    return lambda adata: adata.obsm.__setitem__("X_pca", array)


ONES = np.ones((240, 3), np.float32)
ONE_NAN = np.where(
    np.arange(240)[:, None] == 7, np.nan, np.random.default_rng(0).normal(size=(240, 3))
)
BAD = {
    "no key": (lambda a: None, {"batch_key": None}, ValueError, "batch_key, label_key or veloc"),
    "one batch": (obs(batch="a"), {}, ValueError, r"batch_key='batch' must hold .* got \['a'\]"),
    "fractions": (
        obs(batch=np.linspace(0, 1, 240)),
        {},
        TypeError,
        "batch_key='batch' must hold categories, got fractions",
    ),
    "integers": (obsm(ONES.astype(int)), {}, TypeError, r"adata.obsm\['X_pca'\] must have a real"),
    "constant": (obsm(ONES), {}, ValueError, "'X_pca' must vary over cells"),
    "not finite": (obsm(ONE_NAN), {}, ValueError, r"adata.obsm\['X_pca'\] must be finite.* 1 cell"),
    "no X": (lambda a: None, {"use_rep": "X"}, ValueError, "use_rep='X' needs adata.X"),
}
GRAPHS = {
    "two representations": (
        lambda a: None,
        {"use_rep": ["X_pca", "X_pca"]},
        ValueError,
        "neighbors_key='neighbors' needs one representation",
    ),
    "other representation": (
        lambda a: a.obsm.__setitem__("X_mine", a.obsm["X_pca"]),
        {"use_rep": "X_mine"},
        ValueError,
        "neighbors_key='neighbors' holds neighbours in 'X_pca', got use_rep='X_mine'",
    ),
    "dense": (
        lambda a: with_neighbors(a, method="gauss", knn=False),
        {},
        TypeError,
        r"adata.obsp\['distances'\] must be sparse, got ndarray",
    ),
    "few": (lambda a: with_neighbors(a, 4), {}, ValueError, "at least 4 neighbours, got 3"),
    "no graph": (
        lambda a: a.uns.__setitem__("neighbors", {"params": {}}),
        {},
        ValueError,
        "must name its 'distances_key'",
    ),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_input_of_score(name):
    change, options, error, message = BAD[name]
    with pytest.raises(error, match=message):
        score(changed(change), **{"batch_key": "batch", **options})


@pytest.mark.parametrize("name", GRAPHS)
def test_bad_neighbours(name):
    change, options, error, message = GRAPHS[name]
    with pytest.raises(error, match=message):
        score(changed(change), batch_key="batch", neighbors_key="neighbors", **options)


@pytest.mark.parametrize("name", sorted(set(BAD) - {"no key"}))
def test_bad_input_of_correct_batches(name):
    change, options, error, message = BAD[name]
    with pytest.raises(error, match=message):
        correct_batches(changed(change), "batch", progress=False, **options)


def test_a_batch_that_is_missing_cannot_be_corrected():
    adata = annotated()
    adata.obs.loc[adata.obs.index[:3], "batch"] = np.nan
    with pytest.raises(ValueError, match=r"batch_key='batch' must name .* got 3 missing values"):
        correct_batches(adata, "batch", progress=False)
    assert "X_diffbio" not in adata.obsm


def test_too_few_cells():
    with pytest.raises(ValueError, match="n_neighbors=30 needs at least 31 cells, got 20"):
        correct_batches(annotated()[:20].copy(), "batch", progress=False)
    with pytest.raises(ValueError, match="at least 4 neighbours, got 3"):
        score(annotated()[:4].copy(), batch_key="batch")


def test_a_gene_without_velocities_and_all_of_them():
    layers = layers_of_velocity()
    layers["velocity"][0] = np.nan
    with pytest.raises(ValueError, match="velocity_key='velocity' has no gene"):
        score(anndata.AnnData(layers=layers), velocity_key="velocity")


@pytest.mark.parametrize("call", [score, correct_batches])
def test_backed_mode_is_refused(call, tmp_path):
    adata = anndata.AnnData(np.ones((240, 2), np.float32), obs=annotated().obs)
    adata.write_h5ad(tmp_path / "cells.h5ad")
    backed = anndata.read_h5ad(tmp_path / "cells.h5ad", backed="r")
    for one in (backed, backed[:50]):
        with pytest.raises(ValueError, match=r"adata must lie in memory.*to_memory\(\)"):
            call(one, batch_key="batch")


@pytest.mark.parametrize("call", [score, correct_batches])
def test_only_anndata_will_do(call):
    with pytest.raises(TypeError, match="adata must be an AnnData object, got DataFrame"):
        call(pd.DataFrame(), batch_key="batch")
