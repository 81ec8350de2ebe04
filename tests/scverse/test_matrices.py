"""Numbers of any kind are converted where that is clear, and else named in an error."""

import anndata
import numpy as np
import pandas as pd
import pytest
from scipy import sparse

pytest.importorskip("scanpy", reason="needs the extra: data")

from diffbio.scverse import correct_batches, score
from tests.scverse.objects import CELLS, COMPILED_ONCE, annotated, layers_of_velocity, values
from tests.tiers import tiered

pytestmark = [pytest.mark.usefixtures("only_our_checks", "compiled_quickly"), COMPILED_ONCE]

X = CELLS.embeddings.astype(np.float32)


def frame(dtype):
    return pd.DataFrame(X, annotated().obs_names).astype(dtype)


FORMS = {
    ">f4": X.astype(">f4"),
    ">f8": X.astype(">f8"),
    "longdouble": X.astype(np.longdouble),
    "masked, none of it": np.ma.masked_array(X, np.zeros_like(X, bool)),
    "masked without a mask": np.ma.masked_array(X),
    "sparse longdouble": sparse.csr_matrix(X.astype(np.longdouble)),
    "Float32": frame("Float32"),
    "Float64": frame("Float64"),
    "float and Float": frame("Float32").astype({0: np.float64}),
    "frame of >f4": frame(">f4"),
}


# One form of each kind; `make test-all` has all.
QUICK = (">f8", "masked without a mask", "sparse longdouble", "float and Float")


@pytest.mark.parametrize("name", tiered(FORMS, quick=QUICK))
def test_every_form_of_the_same_numbers_has_the_same_scores(name):
    adata = annotated()
    expected = score(adata, batch_key="batch", label_key="type")["value"]
    adata.obsm["X_pca"] = FORMS[name]
    found = score(adata, batch_key="batch", label_key="type")["value"]
    np.testing.assert_allclose(found, expected, rtol=1e-4)


@pytest.mark.parametrize(
    ("form", "plain"),
    [(X.astype(">f4"), X), (frame("Float32"), X), (X.astype(">f8"), X.astype(np.float64))],
    ids=[">f4", "Float32", ">f8"],
)
def test_every_form_is_corrected_alike(form, plain):
    results = []
    for one in (form, plain):
        adata = annotated()
        adata.obsm["X_pca"] = one
        correct_batches(adata, "batch", n_steps=2, progress=False)
        results.append(adata.obsm["X_diffbio"])
    np.testing.assert_array_equal(*results)


def missing(array):
    return np.ma.masked_array(array, np.arange(array.size).reshape(array.shape) == 5)


NO_NUMBERS = {
    "masked": (missing(X), ValueError, "must have a number in every entry, got 1 masked"),
    "nullable, missing": (
        frame("Float32").mask(np.arange(X.size).reshape(X.shape) == 5),
        ValueError,
        r"must have a number in every entry, got 1 missing \(NA\)",
    ),
    "complex": (X.astype(np.complex64), TypeError, "must have a real floating dtype, got complex"),
    "boolean": (X > 0, TypeError, "must have a real floating dtype, got bool"),
    "integers": (X.astype(int), TypeError, "must have a real floating dtype, got int"),
    "Int64": (frame("float").round().astype("Int64"), TypeError, "must have a real floating dtype"),
    "words": (frame(str), TypeError, "must have a real floating dtype, got object"),
    "cube": (X[:, :, None], ValueError, r"must have shape \(n_cells, dim\)"),
}


@pytest.mark.parametrize("name", NO_NUMBERS)
@pytest.mark.parametrize("call", [score, correct_batches])
def test_what_is_no_matrix_of_coordinates_is_named(call, name):
    value, error, message = NO_NUMBERS[name]
    adata = annotated()
    adata.obsm["X_pca"] = value
    with pytest.raises(error, match=rf"adata.obsm\['X_pca'\] {message}"):
        call(adata, batch_key="batch")


def counted(dtype, kind=np.asarray):
    counts = np.random.default_rng(0).poisson(200, (240, 8)).astype(dtype)
    adata = anndata.AnnData(kind(counts), obs=annotated().obs)
    adata.layers["counts"] = kind(counts[:, ::-1] ** 2)
    return adata


@pytest.mark.parametrize("kind", [np.asarray, sparse.csr_matrix])
@pytest.mark.parametrize("dtype", [np.int64, np.int32, np.uint16])
def test_counts_may_be_integers(dtype, kind):
    expected = values(score(counted(np.float64), batch_key="batch", use_rep="X"))
    found = values(score(counted(dtype, kind), batch_key="batch", use_rep="X"))
    assert found == pytest.approx(expected, rel=1e-4)


@pytest.mark.parametrize("dtype", [np.int64, np.float32])
def test_a_layer_takes_the_place_of_the_matrix(dtype):
    adata = counted(dtype)
    found = score(adata, batch_key="batch", use_rep="X", layer="counts")
    alone = anndata.AnnData(adata.layers["counts"], obs=adata.obs)
    pd.testing.assert_frame_equal(found, score(alone, batch_key="batch", use_rep="X"))
    del adata.X
    correct_batches(adata, "batch", use_rep="X", layer="counts", n_steps=2, progress=False)
    correct_batches(alone, "batch", use_rep="X", n_steps=2, progress=False)
    np.testing.assert_array_equal(adata.obsm["X_diffbio"], alone.obsm["X_diffbio"])
    assert adata.uns["X_diffbio"]["params"]["layer"] == "counts"


def of_velocity(trusted=None, change=lambda layers: layers):
    layers = change(layers_of_velocity())
    adata = anndata.AnnData(layers=layers, var=pd.DataFrame(index=[*"abcdef"]))
    if trusted is not None:
        adata.var["velocity_genes"] = pd.Series(trusted).set_axis(adata.var_names)
    return float(score(adata, velocity_key="velocity")["value"].iloc[0])


TRUSTED = [True, False, True, True, False, True]


@pytest.mark.parametrize(
    "dtype", [bool, "boolean", int, np.uint8, np.int8, ">i4", "Int64", "UInt8"], ids=str
)
def test_trusted_genes_are_booleans_or_integers_0_and_1(dtype):
    expected = of_velocity(np.array(TRUSTED))
    assert of_velocity(pd.Series(TRUSTED).astype(dtype)) == expected
    assert expected != of_velocity(np.ones(6, bool)) == of_velocity()


NO_BOOLEANS = {
    "strings": (pd.Series(TRUSTED).astype(str), "object"),
    "nullable strings": (pd.Series(TRUSTED).astype(str).astype("string"), "string"),
    "categories": (pd.Series(TRUSTED).astype(str).astype("category"), "category"),
    "categories of booleans": (pd.Series(TRUSTED).astype("category"), "category"),
    "NaN": (pd.Series([*TRUSTED[:5], np.nan]), "object with 1 missing values"),
    "nullable, missing": (
        pd.Series([*TRUSTED[:5], pd.NA], dtype="boolean"),
        "boolean with 1 missing values",
    ),
    "integers, missing": (
        pd.Series([1, 0, 1, 1, 0, pd.NA], dtype="Int64"),
        "Int64 with 1 missing values",
    ),
    "other integers": (pd.Series([0, 1, 2, 1, 0, 1]), "int64"),
    "fractions": (pd.Series(TRUSTED).astype(float), "float64"),
}


@pytest.mark.parametrize("name", NO_BOOLEANS)
def test_any_other_kind_of_trusted_genes_is_an_error_that_names_column_and_kind(name):
    column, kind = NO_BOOLEANS[name]
    message = (
        r"adata.var\['velocity_genes'\] must hold booleans or integers 0 and 1, "
        f"got {kind}$"
    )
    with pytest.raises(TypeError, match=message):
        of_velocity(column)


@pytest.mark.parametrize("dtype", [">f4", ">f8", np.longdouble])
def test_layers_of_velocity_in_every_form(dtype):
    found = of_velocity(change=lambda layers: {k: v.astype(dtype) for k, v in layers.items()})
    assert found == pytest.approx(of_velocity(), rel=1e-5)


def of_batches(column):
    adata = annotated()
    adata.obs["batch"] = pd.Series(column).set_axis(adata.obs_names)
    return score(adata, batch_key="batch")


def test_a_nullable_column_may_hold_nan_beside_what_it_calls_missing():
    """Both are a batch that is missing."""
    codes = (CELLS.batch_labels % 2).astype(float)
    column = pd.Series(codes, dtype="Float64")
    column.array._data[:5] = np.nan
    column[5:9] = pd.NA
    codes[:9] = np.nan
    pd.testing.assert_frame_equal(of_batches(column), of_batches(codes))


def test_batches_in_arrow_s_types():
    pytest.importorskip("pyarrow")
    codes = CELLS.batch_labels % 2
    expected = of_batches(codes)
    for dtype in ("double[pyarrow]", "int8[pyarrow]", "bool[pyarrow]"):
        pd.testing.assert_frame_equal(of_batches(pd.Series(codes).astype(dtype)), expected)


def test_values_that_cannot_be_ordered_are_no_categories():
    column = np.array([{1}, (1, 2)], object)[np.arange(240) % 2]
    with pytest.raises(TypeError, match="batch_key='batch' must hold categories of one kind, got"):
        of_batches(column)
