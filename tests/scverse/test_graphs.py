"""Stored neighbours count if their distances are those of the representation."""

import warnings

import anndata
import numpy as np
import pytest
from scipy import sparse

from diffbio.functional import RECOMMENDED_MIXING, Perplexity

pytest.importorskip("scanpy", reason="needs the extra: data")

import scanpy as sc

from diffbio.functional import batch_mixing_loss, velocity_transition_loss
from diffbio.neighbors import nearest_neighbors
from diffbio.scverse import score
from tests.scverse.objects import (
    CELLS,
    COMPILED_ONCE,
    annotated,
    layers_of_velocity,
    values,
    with_neighbors,
)

pytestmark = [pytest.mark.usefixtures("compiled_quickly"), COMPILED_ONCE]

X = CELLS.embeddings.astype(np.float64)
N = len(X)


def with_graph(adata, distances, **params):
    """The object with a matrix of distances, under scanpy's keys."""
    adata.obsp["distances"] = distances
    adata.uns["neighbors"] = {"distances_key": "distances", "params": params}
    return adata


def nearest(x, k=14):
    return np.array(nearest_neighbors(x, k).indices)


def matrix(neighbors, distances):
    """A row of ``(n_cells, k)`` arrays for each cell, in their order."""
    k = neighbors.shape[1]
    begins = np.arange(len(neighbors) + 1) * k
    return sparse.csr_matrix((distances.ravel(), neighbors.ravel(), begins), (len(neighbors),) * 2)


def euclidean(x, neighbors):
    x = x.astype(np.float64)
    return np.linalg.norm(x[:, None] - x[neighbors], axis=2)


def of_graph(adata, **options):
    return score(adata, batch_key="batch", neighbors_key="neighbors", **options)


def searched_with(**options):
    def change(adata):
        sc.pp.neighbors(adata, 15, use_rep="X_pca", **options)
        return "X_pca"

    return change


def in_another_representation(adata):
    with_neighbors(adata)
    # As in scanpy's call without use_rep.
    del adata.uns["neighbors"]["params"]["use_rep"]
    adata.obsm["X_other"] = np.random.default_rng(0).normal(size=(N, 5)).astype(np.float32)
    return "X_other"


def nearly_the_same(adata):
    with_neighbors(adata)
    noise = np.random.default_rng(0).normal(size=(N, 8))
    adata.obsm["X_pca"] = adata.obsm["X_pca"] * (1 + 1e-3 * noise)
    return "X_pca"


def in_another_order(adata):
    with_neighbors(adata)
    adata.obsm["X_pca"] = adata.obsm["X_pca"][::-1].copy()
    return "X_pca"


def weights_for_distances(adata):
    with_neighbors(adata)
    adata.uns["neighbors"]["distances_key"] = "connectivities"
    return "X_pca"


def all_ones(adata):
    neighbors = nearest(X, 89)
    with_graph(adata, matrix(neighbors, np.ones(neighbors.shape)), n_neighbors=90)
    return "X_pca"


def zeros(adata):
    neighbors = nearest(X, 89)
    with_graph(adata, matrix(neighbors, np.zeros(neighbors.shape)), n_neighbors=90)
    return "X_pca"


OF_SOMETHING_ELSE = {
    "another representation": in_another_representation,
    "nearly the same": nearly_the_same,
    "another order": in_another_order,
    "fewer components": searched_with(n_pcs=7),
    "cosine": searched_with(metric="cosine"),
    "manhattan": searched_with(metric="manhattan"),
    "squared": searched_with(metric="sqeuclidean"),
    "weights": weights_for_distances,
    "ones": all_ones,
    "zeros": zeros,
}


@pytest.mark.parametrize("name", OF_SOMETHING_ELSE)
def test_a_graph_of_something_else_is_an_error_that_names_key_representation_and_distances(name):
    adata = annotated()
    use_rep = OF_SOMETHING_ELSE[name](adata)
    message = (
        rf"neighbors_key='neighbors' must hold Euclidean distances in use_rep='{use_rep}', "
        r"got \S+ for cells \d+ and \d+, which are \S+ apart there"
    )
    with pytest.raises(ValueError, match=message):
        of_graph(adata, use_rep=use_rep)


def test_what_the_search_noted_of_itself_is_in_the_error():
    adata = annotated()
    searched_with(n_pcs=7, metric="euclidean")(adata)
    with pytest.raises(ValueError, match=r"use_rep='X_pca', n_pcs=7, metric='euclidean'"):
        of_graph(adata)


def by_products(x, neighbors):
    """Distances as float32 has them from ``|x|^2 - 2 x.y + |y|^2``, as on GPUs."""
    x = x.astype(np.float32)
    squares = np.einsum("nd,nd->n", x, x)
    products = np.einsum("nd,nkd->nk", x, x[neighbors])
    return np.sqrt(np.maximum(squares[:, None] - 2 * products + squares[neighbors], 0))


def by_differences(x, neighbors):
    """Distances as float32 has them from rounded coordinates, as from pynndescent."""
    x = x.astype(np.float32)
    return np.sqrt(((x[:, None] - x[neighbors]) ** 2).sum(axis=2, dtype=np.float32))


def tight(x):
    """Two groups that are 20 times farther apart than the cells of each."""
    return x + np.where(np.arange(N) < 120, 20 * x.std(), 0)[:, None]


WELL_ROUNDED = {
    "products": (X, by_products),
    "products of tight groups": (tight(X), by_products),
    "products with duplicates": (np.concatenate([X[:120]] * 2), by_products),
    "differences": (X, by_differences),
    "differences far from the origin": (X + 1e4 * X.std(), by_differences),
    "small unit": (X * 1e-12, by_differences),
    "large unit": (X * 1e12, by_products),
    "one cell far away": (np.append(X[1:], [[1e6] * 8], axis=0), by_differences),
}


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("name", WELL_ROUNDED)
def test_distances_of_single_precision_are_believed(name, dtype):
    x, distances = WELL_ROUNDED[name]
    adata = annotated()
    adata.obsm["X_pca"] = x.astype(dtype)
    neighbors = nearest(x)
    with_graph(adata, matrix(neighbors, distances(x, neighbors)))
    with warnings.catch_warnings(action="error"):
        of_graph(adata)


def test_one_cell_far_away_does_not_hide_that_the_others_are_elsewhere():
    adata = annotated()
    x = X.copy()
    x[7] = 1e6
    neighbors = nearest(x)
    with_graph(adata, matrix(neighbors, euclidean(x, neighbors)))
    adata.obsm["X_pca"] = x * (1 + 1e-2 * np.random.default_rng(0).normal(size=x.shape))
    with pytest.raises(ValueError, match="must hold Euclidean distances"):
        of_graph(adata)


def test_distances_are_believed_whatever_the_search_noted():
    adata = with_neighbors(annotated())
    expected = of_graph(adata)["value"]
    # A rotation has the same distances.
    adata.obsm["X_turned"] = adata.obsm["X_pca"][:, ::-1].copy()
    adata.uns["neighbors"]["params"]["metric"] = "cosine"
    found = of_graph(adata, use_rep="X_turned")["value"]
    np.testing.assert_allclose(found, expected, rtol=1e-4)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -1.0])
def test_distances_are_finite_and_not_negative_for_velocities_too(bad):
    adata = with_neighbors(annotated())
    adata.layers["Ms"], adata.layers["velocity"] = np.random.default_rng(0).normal(size=(2, N, 0))
    adata.obsp["distances"].data[5] = bad
    message = rf"adata.obsp\['distances'\] must hold finite distances of at least 0, got {bad}"
    for options in ({"batch_key": "batch"}, {"velocity_key": "velocity"}):
        with pytest.raises(ValueError, match=message):
            score(adata, neighbors_key="neighbors", **options)


def cut(k=12, kept=0.5):
    """A graph whose object has lost cells, and how many of its rows have lost some."""
    adata = with_neighbors(annotated(), k)
    view = adata[np.random.default_rng(1).random(N) < kept].copy()
    lengths = np.diff(view.obsp["distances"].tocsr().indptr)
    return view, int((lengths < k - 1).sum())


@pytest.mark.parametrize("noted", [True, False])
def test_cells_that_lost_neighbours_are_counted_in_a_warning(noted):
    adata, n_fewer = cut()
    lengths = np.diff(adata.obsp["distances"].tocsr().indptr)
    if not noted:
        # Then the longest row tells.
        del adata.uns["neighbors"]["params"]
        n_fewer = int((lengths < lengths.max()).sum())
    with pytest.warns(UserWarning, match=f"{n_fewer} of {adata.n_obs} cells have lost some"):
        of_graph(adata)


def test_a_whole_graph_warns_of_nothing_even_if_it_stores_the_cell_itself():
    adata = annotated()
    neighbors = np.column_stack([np.arange(N), nearest(X)])
    with_graph(adata, matrix(neighbors, euclidean(X, neighbors)), n_neighbors=15)
    # scanpy finds itself among its duplicates, or one of them in its place.
    twice = annotated()
    twice.obsm["X_pca"][120:] = twice.obsm["X_pca"][:120]
    for whole in (adata, with_neighbors(twice)):
        with warnings.catch_warnings(action="error"):
            of_graph(whole)


def isolated(adata, lonely):
    """The object's graph without the neighbours of some cells, which are nobody's either."""
    graph = adata.obsp["distances"].tolil()
    graph[lonely] = 0
    graph[:, lonely] = 0
    adata.obsp["distances"] = graph.tocsr()
    return adata


def test_a_cell_without_neighbours_is_told_has_no_value_and_enters_no_mean():
    lonely = np.isin(np.arange(N), [3, 50, 200])
    adata = isolated(with_neighbors(annotated()), lonely)
    with pytest.warns(UserWarning, match="3 of 240 cells have no neighbour that counts"):
        scores = score(
            adata, batch_key="batch", label_key="type", neighbors_key="neighbors", per_cell=True
        )
    found = scores.set_index("loss")
    for loss in ("batch_mixing", "ilisi", "clisi"):
        per_cell = adata.obs[f"diffbio_{loss}_X_pca"]
        np.testing.assert_array_equal(per_cell.isna(), lonely)
        expected = per_cell.mean() if loss == "batch_mixing" else per_cell.median()
        assert found.loc[loss, "value"] == pytest.approx(expected)
        assert found.loc[loss, "n_cells"] == N - 3


def test_a_cell_whose_neighbours_have_no_batch_has_no_value_either():
    adata = with_neighbors(annotated())
    neighbors = adata.obsp["distances"].tocsr()[7].indices
    adata.obs.loc[adata.obs_names[neighbors], "batch"] = np.nan
    with pytest.warns(UserWarning, match="of 226 cells have no neighbour that counts"):
        of_graph(adata, per_cell=True)
    assert adata.obs["diffbio_ilisi_X_pca"].isna().to_numpy()[[7, *neighbors]].all()


def test_a_velocity_without_neighbours_enters_no_mean():
    layers = layers_of_velocity()
    lonely = np.arange(60) == 7
    adata = anndata.AnnData(layers=layers, obsm={"X_pca": layers["Ms"][:, :3]})
    isolated(with_neighbors(adata, 10), lonely)
    with pytest.warns(UserWarning, match="1 of 60 cells have no neighbour"):
        (row,) = score(adata, velocity_key="velocity", neighbors_key="neighbors").itertuples()
    unit = np.sqrt(layers["Ms"].var(axis=0).sum())
    x, v = layers["Ms"] / unit, layers["velocity"] / unit
    lists = [adata.obsp["distances"].tocsr()[i].indices for i in range(60)]
    padded = np.stack([np.append(row, [-1] * (9 - len(row))) for row in lists]).astype(np.int32)
    expected = velocity_transition_loss(x, v, neighbor_indices=padded, where=~lonely)
    assert row.value == pytest.approx(float(expected), rel=1e-5)
    assert row.n_cells == 59


def test_a_graph_without_any_neighbour_is_an_error():
    adata = with_graph(annotated(), sparse.csr_matrix((N, N)))
    for options in ({"batch_key": "batch"}, {"velocity_key": "velocity"}):
        with pytest.raises(ValueError, match=r"adata.obsp\['distances'\] must hold neighbours"):
            score(adata, neighbors_key="neighbors", **options)


def per_cell_of(adata):
    score(adata, batch_key="batch", label_key="type", neighbors_key="neighbors", per_cell=True)
    columns = [f"diffbio_{loss}_X_pca" for loss in ("batch_mixing", "ilisi", "clisi")]
    return adata.obs[columns].to_numpy()


def test_a_long_row_itself_and_repeats_change_no_other_cell():
    neighbors = nearest(X, 30)
    expected = per_cell_of(
        with_graph(annotated(), matrix(neighbors, euclidean(X, neighbors)), n_neighbors=31)
    )
    rows = list(neighbors)
    rows[0] = np.arange(1, N)
    rows[1] = np.append(rows[1], [1, 1])
    rows[2] = np.append(rows[2], rows[2][:20])
    begins = np.append(0, np.cumsum([len(row) for row in rows]))
    columns = np.concatenate(rows)
    cells = np.repeat(np.arange(N), np.diff(begins))
    distances = np.linalg.norm(X[cells] - X[columns], axis=1)
    graph = sparse.csr_matrix((distances, columns, begins), (N, N))
    found = per_cell_of(with_graph(annotated(), graph, n_neighbors=31))
    np.testing.assert_allclose(found[1:], expected[1:], rtol=1e-5, atol=1e-6)


def test_each_cell_has_the_perplexity_of_its_own_neighbours():
    """As if its row were the only one."""
    adata, _ = cut()
    with pytest.warns(UserWarning, match="have lost"):
        found = per_cell_of(adata)
    graph = adata.obsp["distances"].tocsr()
    codes = adata.obs["batch"].cat.codes.to_numpy()
    x = adata.obsm["X_pca"] / np.sqrt(adata.obsm["X_pca"].var(axis=0).sum())
    lengths = np.diff(graph.indptr)
    assert len(set(lengths)) > 3
    for cell in [int(np.flatnonzero(lengths == n)[0]) for n in sorted(set(lengths)) if n >= 4]:
        lists = np.full((len(x), lengths[cell]), -1)
        lists[cell] = graph[cell].indices
        options = {"neighbor_indices": lists, "reduce": False}
        mixing = batch_mixing_loss(x, codes, **RECOMMENDED_MIXING, normalize=True, **options)
        of_lisi = {"temperature": Perplexity((lengths[cell] + 1) / 3), "index": "simpson"}
        simpson = batch_mixing_loss(x, codes, **of_lisi, **options)
        expected = [mixing[cell], (1 / simpson[cell] - 1) / 2]
        np.testing.assert_allclose(found[cell, :2], expected, rtol=1e-4, atol=1e-6)


def test_the_example_of_neighbours_of_another_embedding():
    r = np.random.default_rng(0)
    n = 300
    t = np.arange(n) % 2
    pca = (r.normal(size=(n, 5)) + 10 * t[:, None]).astype("f4")
    other = r.normal(size=(n, 5)).astype("f4")
    adata = anndata.AnnData(obs={"type": t.astype(str)}, obsm={"X_pca": pca, "X_other": other})
    i = nearest(pca, 89)
    with_graph(adata, matrix(i, euclidean(pca, i)), n_neighbors=90, metric="euclidean")
    found = values(score(adata, label_key="type", neighbors_key="neighbors"))
    assert found["X_pca", "clisi"] == 1
    with pytest.raises(ValueError, match="use_rep='X_other'"):
        score(adata, label_key="type", use_rep="X_other", neighbors_key="neighbors")
