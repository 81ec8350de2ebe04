"""The table: its values are those of the losses on arrays that are taken out by hand."""

import jax.numpy as jnp
import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import sparse

from diffbio.functional import RECOMMENDED_MIXING, Perplexity

pytest.importorskip("scanpy", reason="needs the extra: data")

from diffbio.functional import (
    batch_mixing_loss,
    clustering_compactness_loss,
    velocity_transition_loss,
)
from diffbio.scverse import score
from tests.scverse.objects import (
    CELLS,
    COMPILED_ONCE,
    annotated,
    layers_of_velocity,
    values,
    with_neighbors,
)
from tests.tiers import tiered, tiered_rows

pytestmark = [pytest.mark.usefixtures("compiled_quickly"), COMPILED_ONCE]

KEYS = {"batch_key": "batch", "label_key": "type"}
X = CELLS.embeddings / np.sqrt(CELLS.embeddings.var(axis=0).sum())


def lisi(x, labels, n, perplexity=30, **options):
    """Scaled LISI of every cell."""
    options = {"n_neighbors": 89, "temperature": Perplexity(perplexity), **options}
    simpson = batch_mixing_loss(x, labels, n_batches=n, index="simpson", reduce=False, **options)
    return (1 / np.asarray(simpson) - 1) / (n - 1)


def mixing(x, labels, n, **options):
    options = {**RECOMMENDED_MIXING, "normalize": True, **options}
    return batch_mixing_loss(x, labels, n_batches=n, **options)


def by_hand(x, batches, types, n_batches=3, n_types=4):
    return {
        "batch_mixing": float(mixing(x, batches, n_batches)),
        "ilisi": np.median(lisi(x, batches, n_batches)),
        "clustering_compactness": float(
            clustering_compactness_loss(x, jnp.eye(n_types, dtype=x.dtype)[types])
        ),
        "clisi": 1 - np.median(lisi(x, types, n_types)),
    }


def of(scores, representation="X_pca"):
    """The values of one representation by loss."""
    return {loss: value for (name, loss), value in values(scores).items() if name == representation}


def test_every_value_is_that_of_the_loss():
    scores = score(annotated(), **KEYS)
    assert of(scores) == pytest.approx(by_hand(X, CELLS.batch_labels, CELLS.cluster_labels))
    assert set(scores["n_cells"]) == {240}
    assert scores["better"].tolist() == ["lower", "higher", "lower", "higher"]


def test_lisi_is_scib_metrics():
    pytest.importorskip("scib_metrics", reason="needs the extra: claims")
    from experiments.measures import clisi, ilisi, lisi_neighbors

    neighbors, found = lisi_neighbors(X), of(score(annotated(), **KEYS))
    assert found["ilisi"] == pytest.approx(ilisi(neighbors, CELLS.batch_labels), abs=1e-4)
    assert found["clisi"] == pytest.approx(clisi(neighbors, CELLS.cluster_labels), abs=1e-4)


def test_a_list_of_representations_pivots_to_a_table_of_embeddings_and_metrics():
    adata = annotated()
    adata.obsm["X_other"] = adata.obsm["X_pca"][:, ::-1] * 3
    table = score(adata, use_rep=["X_pca", "X_other"], **KEYS).pivot(
        index="representation", columns="loss", values="value"
    )
    assert table.shape == (2, 4)
    # A rotation and another unit change nothing.
    np.testing.assert_allclose(table.loc["X_other"], table.loc["X_pca"], rtol=1e-4)


@pytest.mark.parametrize(
    ("k", "key_added"), tiered_rows([(7, None), (15, "mine")], quick=[(15, "mine")])
)
def test_scanpy_s_neighbours_take_the_place_of_a_search(k, key_added):
    adata = with_neighbors(annotated(), k, key_added=key_added)
    scores = score(adata, neighbors_key=key_added or "neighbors", **KEYS)
    # scanpy counts the cell itself among its k.
    options = {"n_neighbors": k - 1}
    batches, types = CELLS.batch_labels, CELLS.cluster_labels
    found = of(scores)
    # Its graph has no order, so that sums round differently.
    assert found["batch_mixing"] == pytest.approx(float(mixing(X, batches, 3, **options)), rel=1e-5)
    for loss, labels, n in (("ilisi", batches, 3), ("clisi", types, 4)):
        expected = np.median(lisi(X, labels, n, perplexity=k / 3, **options))
        expected = expected if loss == "ilisi" else 1 - expected
        assert found[loss] == pytest.approx(expected, rel=1e-4)


def test_duplicates_at_distance_0_are_neighbours():
    """scanpy stores them as explicit zeros."""
    adata = annotated()
    adata.obsm["X_pca"][120:] = adata.obsm["X_pca"][:120]
    with_neighbors(adata)
    assert (adata.obsp["distances"].data == 0).any()
    listed = adata.obsp["distances"].indices.reshape(240, 14)
    x = adata.obsm["X_pca"]
    expected = mixing(x, CELLS.batch_labels, 3, neighbor_indices=listed)
    found = of(score(adata, batch_key="batch", neighbors_key="neighbors"))
    assert found["batch_mixing"] == pytest.approx(float(expected), rel=1e-5)


def test_rows_of_a_view_are_shorter_and_padding_is_nobody():
    """Its last cell is of another batch than all others: a gather of it would show."""
    adata = with_neighbors(annotated(), 12)
    order = np.flatnonzero(CELLS.batch_labels < 2)
    order = np.append(order, np.flatnonzero(CELLS.batch_labels == 2)[0])
    view = adata[order]
    graph = view.obsp["distances"].tocsr()
    assert len(set(np.diff(graph.indptr))) > 3
    scores = score(view, batch_key="batch", neighbors_key="neighbors", per_cell=False)
    assert view.is_view
    x, labels = CELLS.embeddings[order], CELLS.batch_labels[order]
    width = np.diff(graph.indptr).max()
    lists = [graph.indices[a:b] for a, b in zip(graph.indptr, graph.indptr[1:], strict=False)]
    # The cell itself is padding, too.
    padded = [np.append(row, [i] * (width - len(row))) for i, row in enumerate(lists)]
    expected = mixing(x, labels, 3, neighbor_indices=np.stack(padded).astype(np.int32))
    assert of(scores)["batch_mixing"] == pytest.approx(float(expected), rel=1e-5)


def test_any_sparse_format_of_the_graph_will_do():
    adata = with_neighbors(annotated())
    expected = score(adata, neighbors_key="neighbors", **KEYS)
    for kind in (sparse.csc_matrix, sparse.csr_array):
        adata.obsp["distances"] = kind(adata.obsp["distances"])
        found = score(adata, neighbors_key="neighbors", **KEYS)
        np.testing.assert_allclose(found["value"], expected["value"], rtol=1e-4)


@pytest.mark.parametrize(
    "kind",
    [str, int, np.int8, float, "string", "boolean", "category", ">i4", ">f8", "Int8", "Float32"],
)
def test_categories_of_any_kind(kind):
    adata = annotated()
    column = pd.Series(CELLS.batch_labels % 2, index=adata.obs_names)
    adata.obs["batch"] = column.astype(kind)
    expected = float(mixing(X, CELLS.batch_labels % 2, 2))
    assert of(score(adata, batch_key="batch"))["batch_mixing"] == pytest.approx(expected)


def test_categories_that_do_not_occur_are_not_counted():
    adata = annotated()
    adata.obs["batch"] = adata.obs["batch"].cat.add_categories(["-1", "9"])
    expected = by_hand(X, CELLS.batch_labels, CELLS.cluster_labels)
    assert of(score(adata, **KEYS)) == pytest.approx(expected)


@pytest.mark.slow
@given(st.integers(0, 2**32 - 1))
def test_a_missing_value_leaves_the_cell_out(seed):
    # As many every time, so that nothing compiles again.
    missing = np.random.default_rng(seed).permutation(240) < 60
    adata = annotated()
    adata.obs.loc[missing, ["batch", "type"]] = np.nan
    scores = score(adata, per_cell=True, **KEYS)
    kept = ~missing
    expected = by_hand_of_kept(kept)
    assert of(scores) == pytest.approx(expected, rel=1e-4)
    assert set(scores["n_cells"]) == {kept.sum()}
    assert (adata.obs["diffbio_ilisi_X_pca"].isna() == missing).all()


def by_hand_of_kept(kept):
    batches, types = CELLS.batch_labels[kept], CELLS.cluster_labels[kept]
    # As if the others were not there, in the unit too.
    x, k = CELLS.embeddings[kept], min(89, kept.sum() - 1)
    x = x / np.sqrt(x.var(axis=0).sum())
    one_hot = jnp.eye(4, dtype=x.dtype)[types]
    return {
        "batch_mixing": float(mixing(x, batches, 3)),
        "ilisi": np.median(lisi(x, batches, 3, n_neighbors=k)),
        "clustering_compactness": float(clustering_compactness_loss(x, one_hot)),
        "clisi": 1 - np.median(lisi(x, types, 4, n_neighbors=k)),
    }


def test_values_per_cell_have_the_table_s_means_and_medians():
    adata = annotated()
    before = set(adata.obs)
    found = of(score(adata, per_cell=True, **KEYS))
    names = {f"diffbio_{loss}_X_pca" for loss in ("batch_mixing", "ilisi", "clisi")}
    assert set(adata.obs) - before == names
    assert adata.obs["diffbio_batch_mixing_X_pca"].mean() == pytest.approx(found["batch_mixing"])
    for loss in ("ilisi", "clisi"):
        assert adata.obs[f"diffbio_{loss}_X_pca"].median() == pytest.approx(found[loss])


@pytest.mark.parametrize("make", [lambda a: a, lambda a: a[:]], ids=["object", "view"])
def test_nothing_is_written_unless_asked(make):
    adata = make(with_neighbors(annotated()))
    was_view, before = adata.is_view, adata.copy()
    score(adata, neighbors_key="neighbors", **KEYS)
    assert adata.is_view == was_view
    pd.testing.assert_frame_equal(adata.obs, before.obs)
    assert list(adata.uns) == list(before.uns)


def test_values_per_cell_make_a_copy_of_a_view():
    adata = annotated()
    view = adata[:]
    with pytest.warns(UserWarning, match="view"):
        score(view, per_cell=True, **KEYS)
    assert not view.is_view
    assert not any(name.startswith("diffbio") for name in adata.obs)


@pytest.mark.parametrize("kind", [sparse.csr_matrix, sparse.csc_matrix, "frame"])
def test_a_representation_may_be_sparse_or_a_frame(kind):
    adata = annotated()
    x = CELLS.embeddings
    adata.obsm["X_pca"] = pd.DataFrame(x, adata.obs_names) if kind == "frame" else kind(x)
    expected = by_hand(X, CELLS.batch_labels, CELLS.cluster_labels)
    assert of(score(adata, **KEYS)) == pytest.approx(expected)


def test_x_is_the_matrix_itself_sparse_or_not():
    import anndata

    adata = annotated()
    expected = by_hand(X, CELLS.batch_labels, CELLS.cluster_labels)
    for matrix in (CELLS.embeddings, sparse.csr_matrix(CELLS.embeddings)):
        whole = anndata.AnnData(matrix, obs=adata.obs)
        assert of(score(whole, use_rep="X", **KEYS), "X") == pytest.approx(expected)


@pytest.mark.parametrize("dtype", tiered([np.float16, np.float64], quick=[np.float64]))
def test_every_floating_dtype(dtype):
    adata = annotated()
    x = CELLS.embeddings.astype(dtype)
    adata.obsm["X_pca"] = x
    x = x.astype(np.float64)
    expected = by_hand(x / np.sqrt(x.var(axis=0).sum()), CELLS.batch_labels, CELLS.cluster_labels)
    assert of(score(adata, **KEYS)) == pytest.approx(expected, rel=1e-4)


def test_names_of_cells_need_not_be_unique():
    adata = annotated()
    adata.obs_names = ["cell"] * 240
    expected = by_hand(X, CELLS.batch_labels, CELLS.cluster_labels)
    assert of(score(adata, per_cell=True, **KEYS)) == pytest.approx(expected)


def test_velocity_goes_through_the_genes_that_have_one():
    import anndata

    layers = layers_of_velocity()
    layers["velocity"][:, 2] = np.nan
    var = pd.DataFrame({"velocity_genes": [True, False, True, True, True, True]}, index=[*"abcdef"])
    adata = anndata.AnnData(layers=layers, var=var, obsm={"X_pca": layers["Ms"][:, :3]})
    genes = [0, 3, 4, 5]
    x, v = layers["Ms"][:, genes], layers["velocity"][:, genes]
    unit = np.sqrt(x.var(axis=0).sum())
    (row,) = score(adata, velocity_key="velocity").itertuples()
    assert (row.representation, row.loss, row.better) == ("Ms", "velocity_transition", "lower")
    assert row.value == pytest.approx(float(velocity_transition_loss(x / unit, v / unit)), rel=1e-5)

    with_neighbors(adata, 10)
    listed = adata.obsp["distances"].indices.reshape(60, 9)
    expected = velocity_transition_loss(x / unit, v / unit, neighbor_indices=listed)
    found = score(adata, velocity_key="velocity", neighbors_key="neighbors")
    assert found["value"].tolist() == pytest.approx([float(expected)], rel=1e-5)
