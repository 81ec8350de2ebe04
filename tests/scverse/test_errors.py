"""Bad input: the error names the argument, what came, and what there is."""

import anndata
import numpy as np
import pandas as pd
import pytest

pytest.importorskip("scanpy", reason="needs the extra: data")

from diffbio.scverse import correct_batches, score
from tests.scverse.objects import COMPILED_ONCE, annotated, layers_of_velocity, with_neighbors

pytestmark = [pytest.mark.usefixtures("only_our_checks", "compiled_quickly"), COMPILED_ONCE]


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


KEYWORDS = {"batch": "batch_key", "type": "label_key"}
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
        lambda a: a.obsm.__setitem__("X_mine", a.obsm["X_pca"] ** 2),
        {"use_rep": "X_mine"},
        ValueError,
        "neighbors_key='neighbors' must hold Euclidean distances in use_rep='X_mine', got ",
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
    """The error is about cells and keys: neither has an argument ``n_neighbors``."""
    with pytest.raises(ValueError, match="adata must have at least 31 cells, got 20"):
        correct_batches(annotated()[:20].copy(), "batch", progress=False)
    for key in ("batch", "type"):
        few = np.isin(np.arange(240), [0, 1, 2, 60])
        adata = annotated()
        adata.obs[key] = np.where(few, np.arange(240) % 2, np.nan)
        message = f"{KEYWORDS[key]}='{key}' with 4 known cells: .* at least 4 neighbours, got 3"
        for one in (adata, adata[few].copy()):
            with pytest.raises(ValueError, match=message):
                score(one, **{KEYWORDS[key]: key})


def test_a_gene_without_velocities_and_all_of_them():
    layers = layers_of_velocity()
    layers["velocity"][0] = np.nan
    with pytest.raises(ValueError, match="velocity_key='velocity' has no gene"):
        score(anndata.AnnData(layers=layers), velocity_key="velocity")


NOT_A_NAME = [3, 1.5, True, b"batch", np.ones((240, 2)), pd.Series(["a"] * 240), {"a": 1}, [], [3]]


@pytest.mark.parametrize("value", [*NOT_A_NAME, None], ids=lambda value: type(value).__name__)
@pytest.mark.parametrize(
    ("call", "name"),
    [
        (score, "batch_key"),
        (score, "label_key"),
        (score, "use_rep"),
        (score, "velocity_key"),
        (score, "neighbors_key"),
        (score, "layer"),
        (correct_batches, "batch_key"),
        (correct_batches, "use_rep"),
        (correct_batches, "key_added"),
        (correct_batches, "layer"),
    ],
)
def test_a_key_of_another_type_is_an_error_that_names_the_argument(call, name, value):
    if value is None and name in ("label_key", "velocity_key", "neighbors_key", "layer"):
        pytest.skip("None is the default")
    options = {"batch_key": "batch", "use_rep": "X" if name == "layer" else "X_pca"}
    options |= {"label_key": "type"} if call is score else {"progress": False}
    adata = with_neighbors(annotated())
    adata.X = adata.obsm["X_pca"][:, :0]
    if isinstance(value, dict):
        error, message = (KeyError, TypeError), name
    else:
        error, message = (TypeError, ValueError), f"{name} must "
    if value is None and (call, name) == (score, "batch_key"):
        options["label_key"] = None
        message = "batch_key, label_key or velocity_key must be given"
    with pytest.raises(error, match=message):
        call(adata, **{**options, name: value})


@pytest.mark.parametrize(
    ("call", "name", "value"),
    [
        (score, "per_cell", 1),
        (score, "per_cell", "no"),
        (score, "per_cell", np.array([True])),
        (correct_batches, "progress", "no"),
        (correct_batches, "progress", None),
        (correct_batches, "seed", 1.0),
        (correct_batches, "seed", "1"),
        (correct_batches, "seed", None),
        (correct_batches, "seed", True),
        (correct_batches, "seed", -1),
        (correct_batches, "seed", 2**63),
        (correct_batches, "n_steps", 2.0),
        (correct_batches, "n_steps", 0),
        (correct_batches, "n_steps", None),
    ],
)
def test_an_option_of_another_type_or_out_of_range_is_named(call, name, value):
    with pytest.raises((TypeError, ValueError), match=f"{name} must be"):
        call(annotated(), batch_key="batch", **{name: value})


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"layer": "counts"}, ValueError, "layer='counts' needs use_rep='X', got .*'X_pca'"),
        ({"layer": "c", "use_rep": "X"}, KeyError, "layer='c' is not in adata.layers, which has"),
        ({"batch_key": ["batch", "lab"]}, KeyError, "batch_key='lab' is not in adata.obs"),
    ],
)
@pytest.mark.parametrize("call", [score, correct_batches])
def test_a_layer_or_one_of_several_keys_that_is_not_there(call, options, error, message):
    with pytest.raises(error, match=message):
        call(annotated(), **{"batch_key": "batch", **options})


def twice(adata):
    """Two columns of the name ``batch``, as a join of tables leaves them."""
    adata.obs = pd.concat([adata.obs, adata.obs[["batch"]]], axis=1)
    return adata


@pytest.mark.parametrize("call", [score, correct_batches])
def test_two_columns_of_one_name_are_an_error(call):
    message = "batch_key='batch' must name one column of adata.obs, got 2 columns of that name"
    with pytest.raises(ValueError, match=message):
        call(twice(annotated()), batch_key="batch")


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
