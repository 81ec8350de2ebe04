"""The inverted file: exhaustive if all lists are probed, nearly right by default."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from diffbio._platform import Platform
from diffbio.datasets import simulate_clusters
from diffbio.neighbors import _ivf, _lists, approximate_neighbors, nearest_neighbors
from tests.neighbors.test_nearest import KINDS, all_distances, geometry
from tests.tiers import tiered_rows


def recall(x, found):
    """Share of the cells found that are no farther than the farthest true neighbour."""
    exact = nearest_neighbors(x, found.indices.shape[1]).squared_distances
    farthest = np.asarray(exact)[:, -1:] * (1 + 1e-5)
    return np.mean(np.asarray(found.squared_distances) <= farthest)


def assert_are_lists_of_others(found, n_cells, k):
    indices, distances = np.asarray(found.indices), np.asarray(found.squared_distances)
    assert indices.shape == distances.shape == (n_cells, k)
    assert indices.dtype == np.int32
    assert np.all((indices >= 0) & (indices < n_cells))
    assert not np.any(indices == np.arange(n_cells)[:, None])
    assert all(len(set(row)) == k for row in indices.tolist())


@pytest.fixture(scope="module")
def clusters():
    return jnp.asarray(simulate_clusters(6000, n_genes=100).embeddings)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("dtype", [jnp.float32, pytest.param(jnp.float64, marks=pytest.mark.slow)])
def test_searching_all_lists_finds_the_nearest(kind, dtype):
    x = jnp.asarray(geometry(kind, 700, 20), dtype)
    found = _ivf.search_lists(x, 15, n_lists=10, n_probes=10, seed=0)
    assert found.squared_distances.dtype == dtype
    assert_are_lists_of_others(found, 700, 15)
    # The candidates are chosen in float32.
    expected = nearest_neighbors(x, 15).squared_distances
    np.testing.assert_allclose(found.squared_distances, expected, rtol=1e-5, atol=1e-35)
    tolerance = 1e-5 if dtype == jnp.float32 else 1e-12
    at_indices = np.take_along_axis(all_distances(x), np.asarray(found.indices), axis=1)
    np.testing.assert_allclose(found.squared_distances, at_indices, rtol=tolerance, atol=1e-35)


@pytest.mark.parametrize("options", [{"n_lists": 10, "n_probes": 10}, {}])
def test_probing_all_lists_is_the_exact_search(options):
    x = jnp.asarray(geometry("outlier", 700, 20))
    found, exact = approximate_neighbors(x, 15, **options), nearest_neighbors(x, 15)
    assert np.array_equal(found.indices, exact.indices)
    assert np.array_equal(found.squared_distances, exact.squared_distances)


def test_the_default_finds_most_neighbors(clusters):
    found = approximate_neighbors(clusters, 15)
    assert_are_lists_of_others(found, 6000, 15)
    assert recall(clusters, found) >= 0.95
    assert np.all(np.diff(np.asarray(found.squared_distances), axis=1) >= 0)


def test_the_recall_grows_with_the_lists_probed(clusters):
    options = [{"n_lists": 50, "n_probes": n_probes} for n_probes in (1, 2, 4)]
    recalls = [recall(clusters, approximate_neighbors(clusters, 15, **one)) for one in options]
    assert recalls == sorted(set(recalls))
    assert recalls[0] < 0.8
    assert recalls[-1] > 0.98


def test_few_probes_compare_with_few_cells():
    x = jnp.asarray(geometry("random", 700, 20))
    assert recall(x, approximate_neighbors(x, 15, n_lists=10, n_probes=1)) < 0.6


def test_the_same_seed_gives_the_same_bits_and_another_seed_other_lists(clusters):
    first, again, other = (
        approximate_neighbors(clusters, 15, n_lists=50, n_probes=2, seed=seed) for seed in (0, 0, 1)
    )
    assert np.array_equal(first.indices, again.indices)
    assert np.array_equal(first.squared_distances, again.squared_distances)
    assert not np.array_equal(first.indices, other.indices)


def test_permuting_the_cells_does_not_lower_the_recall(clusters):
    order = np.argsort(np.asarray(clusters)[:, 0])
    options = {"n_lists": 50, "n_probes": 2}
    before = recall(clusters, approximate_neighbors(clusters, 15, **options))
    after = recall(clusters[order], approximate_neighbors(clusters[order], 15, **options))
    assert after > before - 0.05


@pytest.mark.parametrize(
    ("scale", "offset"),
    tiered_rows([(1e-30, 0), (1e30, 0), (1, 1e6)], quick=[(1e-30, 0), (1, 1e6)]),
)
def test_neither_the_unit_nor_the_origin_lowers_the_recall(clusters, scale, offset):
    x = clusters.astype(jnp.float64)
    options = {"n_lists": 50, "n_probes": 2}
    before = recall(x, approximate_neighbors(x, 15, **options))
    moved = scale * x + offset
    assert recall(moved, approximate_neighbors(moved, 15, **options)) > before - 0.05


@pytest.mark.parametrize("n_cells", [2, 17])
def test_all_others_of_few_cells_are_found(n_cells):
    x = jnp.asarray(geometry("random", n_cells, 3))
    assert_are_lists_of_others(approximate_neighbors(x, n_cells - 1), n_cells, n_cells - 1)


@pytest.mark.parametrize("n_lists", [2, 40])
def test_probes_are_widened_until_every_neighbor_is_found(n_lists):
    x = jnp.asarray(geometry("random", 40, 3))
    found = approximate_neighbors(x, 39, n_lists=n_lists, n_probes=1)
    assert_are_lists_of_others(found, 40, 39)
    assert np.all(np.isfinite(found.squared_distances))


@pytest.mark.parametrize("kind", ["collapsed", "duplicates"])
def test_a_list_of_duplicates_loses_no_cell(kind):
    x = jnp.asarray(geometry(kind, 700, 20), jnp.float32)
    found = approximate_neighbors(x, 15, n_lists=10, n_probes=2)
    assert_are_lists_of_others(found, 700, 15)
    n_equal = 700 if kind == "collapsed" else 350
    assert np.all(np.asarray(found.squared_distances)[:n_equal] == 0)


@pytest.mark.parametrize("n_lists", [1, 10, 700])
def test_every_cell_has_one_entry_in_the_table(n_lists):
    nearest = np.random.default_rng(0).integers(n_lists, size=(700, 2)) ** 2 // n_lists
    table = _lists.in_table(nearest, n_lists)
    entries = table[table < 700]
    assert np.array_equal(np.sort(entries), np.arange(700))
    assert np.all(table[table >= 700] == 700)
    for row in table:
        assert len(set(nearest[row[row < 700], 0])) <= 1


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_a_cell_that_is_not_finite_is_the_farthest_and_hides_no_other(value):
    x = jnp.asarray(geometry("random", 700, 20)).at[:40].set(value)
    found = _ivf.search_lists(x, 15, n_lists=10, n_probes=10, seed=0)
    assert_are_lists_of_others(found, 700, 15)
    assert np.all(np.asarray(found.indices)[40:] >= 40)
    expected = np.asarray(nearest_neighbors(x, 15).squared_distances)[40:]
    np.testing.assert_allclose(np.asarray(found.squared_distances)[40:], expected, rtol=1e-12)


def test_a_cell_that_is_not_finite_is_found_where_all_are():
    x = jnp.asarray(geometry("random", 40, 3)).at[7].set(np.nan)
    found = approximate_neighbors(x, 39, n_lists=2, n_probes=1)
    assert_are_lists_of_others(found, 40, 39)
    assert np.all(np.delete(np.asarray(found.indices)[:, -1], 7) == 7)


def test_half_precision_is_searched_in_float32():
    x = jnp.asarray(geometry("random", 700, 20), jnp.float16)
    found = approximate_neighbors(x, 15, n_lists=10, n_probes=2)
    expected = approximate_neighbors(x.astype(jnp.float32), 15, n_lists=10, n_probes=2)
    assert found.squared_distances.dtype == jnp.float32
    assert np.array_equal(found.indices, expected.indices)


def test_the_lists_do_not_depend_on_the_blocks(monkeypatch):
    z, _, _ = _ivf._normalized_cells(jnp.asarray(geometry("random", 700, 20)))
    sample = _lists.sample_of(700, n_lists=11, seed=0)
    large = _lists.nearest_lists(z, sample, 11, Platform.CPU)
    monkeypatch.setitem(_lists._BLOCK, Platform.CPU, 1)
    jax.clear_caches()
    small = _lists.nearest_lists(z, sample, 11, Platform.CPU)
    assert np.mean(np.asarray(small) == np.asarray(large)) > 0.99


def test_large_steps_give_the_same_neighbors(clusters, monkeypatch):
    """What a device other than a CPU gets: blocks of many rows of the table at once."""
    expected = approximate_neighbors(clusters, 15, n_lists=50, n_probes=2)
    monkeypatch.setattr(_ivf, "_platform_of", lambda x: Platform.ACCELERATOR)
    found = approximate_neighbors(clusters, 15, n_lists=50, n_probes=2)
    same = np.asarray(found.indices) == np.asarray(expected.indices)
    assert np.mean(same) > 0.99


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"n_lists": 61}, "n_lists must be at most n_cells=60, got 61"),
        ({"n_lists": 0}, "n_lists must be at least 1, got 0"),
        ({"n_lists": 5, "n_probes": 6}, "n_probes must be at most n_lists=5, got 6"),
        ({"n_probes": 0}, "n_probes must be at least 1, got 0"),
        ({"seed": -1}, "seed must be at least 0, got -1"),
        ({"n_neighbors": 60}, "n_neighbors=60 needs at least 61 cells, got 60"),
    ],
)
def test_errors_name_the_argument(options, message):
    arguments = {"n_neighbors": 5} | options
    with pytest.raises(ValueError, match=message):
        approximate_neighbors(jnp.asarray(geometry("random", 60, 3)), **arguments)


def test_it_cannot_be_traced():
    with pytest.raises(TypeError, match="x must be known"):
        jax.jit(lambda x: approximate_neighbors(x, 5))(jnp.asarray(geometry("random", 60, 3)))
