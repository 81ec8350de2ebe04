"""Over the whole range of floats: the right neighbours, their distances, or an error."""

import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from diffbio.neighbors import approximate_neighbors, nearest_neighbors
from tests.tiers import tiered

K = 5
# Squares that float32 holds as normal numbers.
HELD = (1e-37, 1e38)


def nearest_squares(x, k):
    """The k smallest squared distances of each cell, in long double."""
    x = np.asarray(x, np.longdouble)
    squares = ((x[:, None] - x[None]) ** 2).sum(axis=-1)
    np.fill_diagonal(squares, np.inf)
    return squares, np.sort(squares, axis=1)[:, :k]


def assert_nearest(x, found, tolerance=1e-5):
    squares, expected = nearest_squares(x, found.indices.shape[1])
    indices = np.asarray(found.indices)
    assert np.all(indices != np.arange(len(x))[:, None])
    assert all(len(set(row)) == len(row) for row in indices.tolist())
    at_indices = np.take_along_axis(squares, indices, axis=1)
    # As ratios: an absolute tolerance would hide wrong neighbours of near cells.
    assert np.all(at_indices <= (1 + tolerance) * expected)
    held = (expected > HELD[0]) & (expected < HELD[1])
    distances = np.asarray(found.squared_distances, np.float64)
    np.testing.assert_allclose(distances[held], expected[held].astype(float), rtol=tolerance)


def outlier(rng, n_cells, distance, scale=1.0, dim=3):
    x = scale * rng.normal(size=(n_cells, dim))
    x[7] = distance
    return x


OUTLIERS = (5, 12, 18, 20, 25, 28, 36)
SCALES = (-30, -25, -20, -15, 15, 20, 25, 35)
CELLS = {
    **{f"one at 1e{e}": lambda r, n, e=e: outlier(r, n, 10.0**e) for e in OUTLIERS},
    **{f"scale 1e{e}": lambda r, n, e=e: 10.0**e * r.normal(size=(n, 3)) for e in SCALES},
    "1e-15 and one at 1e5": lambda r, n: outlier(r, n, 1e5, 1e-15),
    "1e-15 and one at 1e5, many dimensions": lambda r, n: outlier(r, n, 1e5, 1e-15, 50),
    "two far ones near each other": lambda r, n: np.vstack(
        [r.normal(size=(n - 2, 3)), [[1e20, 0, 0], [1.1e20, 0, 0]]]
    ),
    "all scales": lambda r, n: r.normal(size=(n, 3)) * 10.0 ** r.integers(-30, 30, (n, 1)),
    "pairs of all scales": lambda r, n: np.repeat(
        r.normal(size=(n // 2, 3)) * 10.0 ** r.integers(-30, 30, (n // 2, 1)), 2, axis=0
    ),
    "near in one coordinate": lambda r, n: (
        np.where([1, 0, 0], 1.0, 1e-20) * np.hstack([np.ones((n, 1)), r.normal(size=(n, 2))])
    ),
    "duplicates and one at 1e20": lambda r, n: outlier(r, n, 1e20)[r.integers(n // 3, size=n)],
}


@pytest.mark.parametrize("n_cells", tiered([16, 40, 300], quick=[300]))
@pytest.mark.parametrize("name", CELLS)
def test_the_nearest_cells_are_found_at_every_scale_and_beside_every_outlier(name, n_cells):
    x = CELLS[name](np.random.default_rng(0), n_cells).astype(np.float32)
    assert_nearest(x, nearest_neighbors(x, K))


@given(
    seed=st.integers(0, 10_000),
    scale=st.floats(-30, 25),
    spread=st.integers(0, 45),
    copied=st.booleans(),
    block_size=st.sampled_from([None, 7]),
)
def test_the_nearest_cells_are_found_whatever_the_scales_of_the_cells(
    seed, scale, spread, copied, block_size
):
    rng = np.random.default_rng(seed)
    exponents = np.clip(scale + rng.integers(-spread, spread + 1, size=(60, 1)), -30, 35)
    x = (rng.normal(size=(60, 4)) * 10.0**exponents).astype(np.float32)
    if copied:
        x[::3] = x[1::3]
    assert_nearest(x, nearest_neighbors(x, K, block_size=block_size))


def test_float64_holds_ratios_of_its_own():
    rng = np.random.default_rng(0)
    for distance in (1e20, 1e100, 1e200, 1e300):
        x = jnp.asarray(outlier(rng, 200, distance))
        assert_nearest(x, nearest_neighbors(x, K), 1e-12)


def lists(x, **options):
    return approximate_neighbors(x, K, n_lists=8, n_probes=4, **options)


@pytest.mark.parametrize("distance", [1e10, 1e20, 1e28])
@pytest.mark.parametrize("dtype", tiered([np.float32, np.float64], quick=[np.float32]))
def test_an_approximate_search_refuses_what_it_cannot_tell_apart(distance, dtype):
    x = outlier(np.random.default_rng(0), 3000, distance).astype(dtype)
    with pytest.raises(ValueError, match=r"x has \d+ cells .*float32.*nearest_neighbors"):
        lists(x)


@pytest.mark.parametrize("scale", [1e-30, 1e-15, 1e15, 1e30])
def test_an_approximate_search_finds_the_same_at_every_scale(scale):
    """A power of 2, which rounds nothing."""
    x = np.random.default_rng(0).normal(size=(3000, 3)).astype(np.float32)
    scale = np.float32(2.0 ** np.round(np.log2(scale)))
    assert np.array_equal(lists(scale * x).indices, lists(x).indices)


def test_an_approximate_search_accepts_copies_that_differ_by_rounding():
    rng = np.random.default_rng(0)
    x = np.repeat(rng.normal(size=(300, 3)), 10, axis=0)
    assert lists((x * (1 + 1e-7 * rng.normal(size=x.shape))).astype(np.float32)).indices.shape
