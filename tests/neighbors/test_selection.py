"""The bound of the selection is below everything that it did not choose, ties or not."""

import jax.numpy as jnp
import numpy as np
import pytest

from diffbio._platform import Platform
from diffbio.neighbors import nearest_neighbors
from diffbio.neighbors._selection import (
    _by_passes,
    group_sizes,
    smallest_per_column,
    sorted_columns,
)
from tests.tiers import tiered, tiered_rows

pytestmark = pytest.mark.usefixtures("compiled_quickly")

SIZES = [(17, 17), (64, 20), (160, 20), (640, 20), (2560, 20), (3300, 105), (4097, 33), (1200, 150)]
# No level, one and two of them, and so many that sorting takes the place of passes.
QUICK = [(160, 20), (640, 20), (2560, 20), (1200, 150)]


def near_ties(n_entries):
    """Columns of ones and numbers 2^-s above, the ones in the first, last or any rows."""
    rng = np.random.default_rng(0)
    columns = []
    for exponent in range(6, 24):
        for n_ones in (1, 5, 15):
            ones = np.arange(n_entries) < n_ones
            for chosen in (ones, ones[::-1], rng.permutation(ones)):
                columns.append(np.where(chosen, 1, 1 + 2.0**-exponent))
    return np.float32(np.stack(columns, axis=1))


def random_ties(n_entries):
    rng = np.random.default_rng(1)
    return np.float32(3 + rng.uniform(0, 2.0 ** -rng.integers(8, 20, 64), (n_entries, 64)))


def select(platform, values, count):
    groups = group_sizes(platform, len(values), count)
    padding = -len(values) % int(np.prod(groups, dtype=int))
    padded = np.pad(values, ((0, padding), (0, 0)), constant_values=1e30)
    return map(np.asarray, smallest_per_column(platform, jnp.asarray(padded), count, groups))


@pytest.mark.parametrize(("n_entries", "count"), tiered_rows(SIZES, quick=QUICK))
@pytest.mark.parametrize("ties", [near_ties, random_ties])
@pytest.mark.parametrize("platform", Platform)
def test_no_entry_outside_of_the_chosen_ones_is_below_the_bound(n_entries, count, ties, platform):
    values = ties(n_entries)
    rows, bound = select(platform, values, count)
    outside = np.ones(values.shape, bool)
    np.put_along_axis(outside, rows, False, axis=0)
    assert np.all(outside.sum(axis=0) == n_entries - count)
    assert np.all(bound[None] <= np.where(outside, values, np.inf))


@pytest.mark.slow
@pytest.mark.parametrize(("n_entries", "count"), SIZES)
@pytest.mark.parametrize("platform", Platform)
def test_well_separated_entries_are_chosen_in_order_and_the_bound_is_close(
    n_entries, count, platform
):
    rng = np.random.default_rng(2)
    values = np.stack([rng.permutation(1 + np.arange(n_entries)) for _ in range(9)], axis=1)
    rows, bound = select(platform, np.float32(values) ** 2, count)
    assert np.array_equal(rows, np.argsort(values, axis=0)[:count])
    np.testing.assert_allclose(bound, float(count) ** 2, rtol=2e-3)


@pytest.mark.parametrize(("n_entries", "count"), [(1, 1), (5, 3), (17, 17), (330, 20), (2100, 128)])
def test_passes_take_the_smallest_keys_in_order(n_entries, count):
    rng = np.random.default_rng(3)
    keys = rng.integers(0, 2**31 // 4096, (n_entries, 9)) * 4096 + np.arange(n_entries)[:, None]
    keys[0, 0], keys[-1, 1] = 0, 2**31 - 1
    found = _by_passes(jnp.asarray(np.int32(keys)), count)
    assert np.array_equal(found, np.sort(keys, axis=0)[:count])


def orders():
    """Columns in any order: sorted, reversed, with ties, and with the infinite in any row."""
    rng = np.random.default_rng(4)
    ascending = np.repeat(np.arange(35.0)[:, None], 8, axis=1)
    nearly = ascending + np.float32(rng.uniform(0, 3, ascending.shape))
    ties = rng.integers(0, 4, ascending.shape).astype(float)
    columns = np.concatenate([ascending, ascending[::-1], nearly, ties], axis=1)
    infinite = np.arange(35)[:, None] == np.arange(columns.shape[1]) % 7
    everywhere = np.ones_like(columns, bool)
    return np.float32([columns, *(np.where(at, np.inf, columns) for at in (infinite, everywhere))])


@pytest.mark.parametrize("n_entries", [1, 2, 34, 35])
@pytest.mark.parametrize("nearly_sorted", [True, False])
def test_columns_are_sorted_whatever_their_order(nearly_sorted, n_entries):
    for order in orders()[:, :n_entries]:
        count = max(1, n_entries - 5)
        numbers = np.arange(order.size, dtype=np.int32).reshape(order.shape)
        finite = np.where(np.isinf(order), -1, numbers)
        arrays = jnp.asarray(order), jnp.asarray(finite)
        found = sorted_columns(arrays[0], arrays, count, nearly_sorted=nearly_sorted)
        rows = np.argsort(order, axis=0, kind="stable")[:count]
        for array, expected in zip(found, arrays, strict=True):
            assert np.array_equal(array, np.take_along_axis(np.asarray(expected), rows, axis=0).T)


def near_ties_around_a_cell(n_cells):
    """Cell 0 at the centre, and all others at nearly one distance from it, the nearest last.

    The keys of the top level cannot tell these squared distances apart, so it keeps the
    first groups. The keys of a lower level, which has half as many entries, can.
    """
    half_step = 2.0**-17
    squares = np.full(n_cells, 0.5625 + half_step + 3e-6)
    squares[0] = 0
    squares[1:17] = 0.5625 + half_step - 2.0**-22
    squares[-16:] = 0.5625 + 2.0**-19
    squares[n_cells // 2 : n_cells // 2 + 2] = 1
    return np.sqrt(squares) * np.where(np.arange(n_cells) % 2, 1, -1)


@pytest.mark.parametrize("n_cells", tiered([2559, 2555], quick=[2555]))
def test_near_ties_that_a_coarse_level_drops_are_found(n_cells):
    x = near_ties_around_a_cell(n_cells)
    found = nearest_neighbors(jnp.asarray(x[:, None]), 15)
    assert np.all(found.indices[0] >= n_cells - 16)
    np.testing.assert_allclose(found.squared_distances[0], 0.5625 + 2.0**-19, rtol=1e-12)


@pytest.mark.parametrize("width", [3e-19, 1.5e-19, 1e-19, 7e-20, 1e-22])
def test_squares_that_are_flushed_to_zero_prove_nothing(width):
    cluster = width * np.random.default_rng(1).normal(size=(20, 3))
    around = np.where(np.arange(360) % 2, -1.0, 1.0)[:, None] * np.ones((1, 3))
    found = nearest_neighbors(jnp.asarray(np.concatenate([cluster, -cluster, around])), 5)
    inner = np.concatenate([cluster, -cluster])
    distances = np.square(inner[:, None] - inner[None]).sum(axis=-1)
    expected = np.sort(distances, axis=1)[:, 1:6]
    np.testing.assert_allclose(found.squared_distances[:40], expected, rtol=1e-12)
