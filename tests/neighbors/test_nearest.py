"""Exact neighbours, whatever the geometry, the dtype and the block size."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from diffbio._platform import Platform
from diffbio.neighbors import _bounds, nearest_neighbors


def all_distances(x):
    x = np.asarray(x, np.float64)
    distances = ((x[:, None] - x[None]) ** 2).sum(axis=-1)
    np.fill_diagonal(distances, np.inf)
    return distances


def geometry(kind, n_cells, dim, seed=0):
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(n_cells, dim))
    if kind == "far":
        x += 1e4
    if kind == "two far clusters":
        x[: n_cells // 2] += 1e4
    if kind == "tiny two clusters":
        x[: n_cells // 2] += 500
    if kind == "duplicates":
        x[: n_cells // 2] = x[0]
    if kind == "grid":
        x = np.round(2 * x)
    if kind == "curve":
        x = np.sin(rng.uniform(0, 3, (n_cells, 1)) * np.arange(1, dim + 1))
    if kind == "outlier":
        x[0] = 1e6
    if kind.startswith("tiny"):
        x *= 1e-12
    if kind == "collapsed":
        x[:] = 0.1
    return x


KINDS = [
    "random",
    "far",
    "two far clusters",
    "duplicates",
    "grid",
    "curve",
    "outlier",
    "tiny",
    "tiny two clusters",
    "collapsed",
]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("dtype", [jnp.float32, jnp.float64])
def test_distances_are_those_of_an_exhaustive_search(kind, dtype):
    for n_cells, dim, k, block in ((16, 3, 15, None), (17, 3, 5, 4), (700, 20, 15, 96)):
        x = jnp.asarray(geometry(kind, n_cells, dim), dtype)
        found = nearest_neighbors(x, k, block_size=block)
        exact = all_distances(x)
        expected = np.sort(exact, axis=1)[:, :k]
        tolerance = 1e-5 if dtype == jnp.float32 else 1e-12
        np.testing.assert_allclose(found.squared_distances, expected, rtol=tolerance, atol=1e-35)
        at_indices = np.take_along_axis(exact, np.asarray(found.indices), axis=1)
        np.testing.assert_allclose(at_indices, expected, rtol=tolerance, atol=1e-35)
        assert all(len(set(row)) == k for row in np.asarray(found.indices).tolist())


@pytest.mark.slow
@given(
    n_cells=st.sampled_from([6, 31, 32, 33, 100]),
    block_size=st.sampled_from([1, 32, 33, None]),
    seed=st.integers(0, 1000),
)
def test_every_block_size_gives_the_same_neighbors(n_cells, block_size, seed):
    x = jnp.asarray(geometry("random", n_cells, 4, seed))
    found = nearest_neighbors(x, 5, block_size=block_size)
    assert np.array_equal(found.indices, np.argsort(all_distances(x), axis=1)[:, :5])


def test_masked_cells_are_nobodys_neighbors_and_have_none():
    x = jnp.asarray(geometry("random", 60, 3)).at[5].set(jnp.nan)
    where = jnp.ones(60, bool).at[jnp.asarray([5, 7, 30])].set(False)
    found = nearest_neighbors(x, 4, where=where, block_size=16)
    kept = np.flatnonzero(where)
    expected = kept[np.argsort(all_distances(x[kept]), axis=1)[:, :4]]
    assert np.array_equal(np.asarray(found.indices)[kept], expected)
    assert np.all(np.asarray(found.indices)[~np.asarray(where)] == -1)
    assert np.all(np.isinf(np.asarray(found.squared_distances)[~np.asarray(where)]))


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_a_cell_that_is_not_finite_is_the_farthest_neighbor_and_not_hidden(value):
    x = jnp.asarray(geometry("random", 6, 2)).at[5].set(value)
    found = nearest_neighbors(x, 5)
    assert np.all(np.asarray(found.indices)[:5, -1] == 5)
    assert not np.isfinite(np.asarray(found.squared_distances)[:5, -1]).any()
    for cell, row in enumerate(np.asarray(found.indices)):
        assert sorted(row) == sorted(set(range(6)) - {cell})


def test_missing_neighbors_are_padding():
    where = jnp.arange(10) < 3
    found = nearest_neighbors(jnp.asarray(geometry("random", 10, 2)), 4, where=where)
    assert np.all(np.asarray(found.indices)[:3, 2:] == -1)
    assert np.all(np.asarray(found.indices)[:3, :2] >= 0)
    assert np.all(np.isinf(np.asarray(found.squared_distances)[:3, 2:]))


def test_the_same_input_gives_the_same_bits():
    x = jnp.asarray(geometry("grid", 300, 3), jnp.float32)
    first, second = nearest_neighbors(x, 9), nearest_neighbors(x, 9)
    assert np.array_equal(first.indices, second.indices)


def test_half_precision_is_searched_in_float32():
    x = jnp.asarray(geometry("random", 50, 3), jnp.bfloat16)
    found = nearest_neighbors(x, 5)
    assert found.squared_distances.dtype == jnp.float32
    expected = np.sort(all_distances(x.astype(jnp.float64)), axis=1)[:, :5]
    np.testing.assert_allclose(found.squared_distances, expected, rtol=1e-6)


def test_bounds_lie_below_every_distance_and_close_to_it():
    for kind in KINDS:
        x = jnp.asarray(geometry(kind, 90, 20), jnp.float32)
        normalization = _bounds.normalization_of(x, None, None)
        factor = _bounds.factor_rows(Platform.CPU, x, None, normalization, 1)
        bounds = np.asarray(_bounds.lower_bounds(factor, factor), np.float64)
        scaled = np.asarray(x, np.float64) / float(normalization.unit)
        exact = ((scaled[:, None] - scaled[None]) ** 2).sum(axis=-1)
        assert np.all(bounds <= exact), kind
        norms = np.asarray(factor[:, -2], np.float64)
        assert np.all(exact - bounds <= 2e-5 * (norms[:, None] + norms[None]) + 1e-30), kind


def test_neighbors_are_constants_under_differentiation():
    x = jnp.asarray(geometry("random", 30, 3))
    gradient = jax.grad(lambda x: nearest_neighbors(x, 3).squared_distances.sum())(x)
    assert np.all(np.asarray(gradient) == 0)


def test_vmap_equals_single_searches():
    x = jnp.stack([jnp.asarray(geometry(kind, 60, 4)) for kind in ("random", "curve", "grid")])
    mapped = jax.vmap(lambda x: nearest_neighbors(x, 5, block_size=16).squared_distances)(x)
    for one, expected in zip(x, mapped, strict=True):
        np.testing.assert_allclose(
            nearest_neighbors(one, 5).squared_distances, expected, rtol=1e-13
        )
