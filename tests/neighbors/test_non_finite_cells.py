"""Cells with NaN or infinite coordinates are far from all others, and spoil none of them."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from diffbio._platform import Platform
from diffbio.functional import batch_mixing_loss
from diffbio.neighbors import nearest_neighbors
from diffbio.neighbors._bounds import FAR, factor_rows, normalization_of
from tests.tiers import tiered

pytestmark = pytest.mark.usefixtures("compiled_quickly")

BAD = (3, 250, 299)
GOOD = np.setdiff1d(np.arange(300), BAD)
VALUES = [np.nan, np.inf, -np.inf]
K = 5


def cells(value, everywhere=True, dtype=np.float64, offset=0.0):
    x = np.random.default_rng(0).normal(size=(300, 4)).astype(dtype) + dtype(offset)
    for cell in BAD:
        x[cell, slice(None) if everywhere else 2] = value
    return jnp.asarray(x)


@pytest.mark.parametrize("value", VALUES)
@pytest.mark.parametrize("everywhere", [True, False])
@pytest.mark.parametrize("dtype", tiered([np.float32, np.float64], quick=[np.float32]))
@pytest.mark.parametrize("offset", [0.0, 1e4])
def test_the_other_cells_have_the_neighbors_they_have_without_it(value, everywhere, dtype, offset):
    x = cells(value, everywhere, dtype, offset)
    found, alone = nearest_neighbors(x, K), nearest_neighbors(x[GOOD], K)
    assert np.array_equal(found.indices[GOOD], GOOD[alone.indices])
    assert np.array_equal(found.squared_distances[GOOD], alone.squared_distances)


def test_one_nan_cell_after_ten_in_a_row():
    x = jnp.asarray([*range(10), np.nan])[:, None]
    indices = np.sort(nearest_neighbors(x, 2).indices[:10], axis=1)
    assert indices[0].tolist() == [1, 2]
    assert indices[9].tolist() == [7, 8]
    assert indices[1:9].tolist() == [[i - 1, i + 1] for i in range(1, 9)]


@pytest.mark.parametrize("value", VALUES)
def test_its_own_neighbors_are_other_cells_at_no_finite_distance(value):
    found = nearest_neighbors(cells(value), K)
    for cell in BAD:
        neighbors = np.asarray(found.indices)[cell].tolist()
        assert len(set(neighbors) - {cell, -1}) == K
        assert not np.isfinite(np.asarray(found.squared_distances)[cell]).any()


@pytest.mark.parametrize("n_finite", [0, 1, 4, 10])
@pytest.mark.parametrize("value", VALUES)
def test_it_is_a_neighbor_before_masked_cells_where_there_are_too_few_others(n_finite, value):
    x = np.random.default_rng(1).normal(size=(60, 3))
    finite = np.arange(60) % 7 == 0
    finite &= np.cumsum(finite) <= n_finite
    x[~finite] = value
    where = (np.arange(60) % 2 == 0) | finite
    found = nearest_neighbors(jnp.asarray(x), 8, where=jnp.asarray(where), block_size=16)
    indices, distances = np.asarray(found.indices), np.asarray(found.squared_distances)
    for cell in np.flatnonzero(where):
        assert len(set(indices[cell]) - {cell}) == 8
        assert np.all(where[indices[cell]])
        if finite[cell]:
            others = min(n_finite - 1, 8)
            assert np.isfinite(distances[cell, :others]).all()
            assert not np.isfinite(distances[cell, others:]).any()
    assert np.all(indices[~where] == -1)


def test_a_distance_too_large_for_its_dtype_hides_no_cell_and_spoils_no_other():
    x = cells(3e38, dtype=np.float32)
    found, alone = nearest_neighbors(x, K), nearest_neighbors(x[GOOD], K)
    assert np.array_equal(found.indices[GOOD], GOOD[alone.indices])
    everywhere = nearest_neighbors(jnp.asarray(cells(0.0) * 1e30, jnp.float32), K)
    for cell, row in enumerate(np.asarray(everywhere.indices).tolist()):
        assert len(set(row) - {cell, -1}) == K


@pytest.mark.parametrize("value", VALUES)
def test_only_its_own_loss_and_the_mean_are_nan(value):
    x, labels = cells(value), jnp.arange(300) % 3
    options = {"n_neighbors": K, "temperature": 0.5}
    losses = np.asarray(batch_mixing_loss(x, labels, reduce=False, **options))
    alone = batch_mixing_loss(x[GOOD], labels[GOOD], reduce=False, **options)
    np.testing.assert_allclose(losses[GOOD], alone, rtol=1e-12)
    assert np.isnan(losses[list(BAD)]).all()
    assert np.isnan(batch_mixing_loss(x, labels, **options))


@pytest.mark.parametrize("dim", [2, 20, 50, 2000])
@pytest.mark.parametrize("value", VALUES)
def test_one_bad_coordinate_among_many_is_seen(dim, value):
    x = np.random.default_rng(2).normal(size=(300, dim))
    x[list(BAD), dim // 2] = value
    normalization = jax.jit(normalization_of, static_argnums=2)(x, None, None)
    factor = jax.jit(factor_rows, static_argnums=(0, 4))(Platform.CPU, x, None, normalization, 1)
    assert np.flatnonzero(factor[:, dim] == FAR).tolist() == list(BAD)
    assert np.isfinite(factor).all()
