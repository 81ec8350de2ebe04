"""The search runs under every one of JAX's stricter settings."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from diffbio.neighbors import nearest_neighbors

SETTINGS = {
    "strict promotion": (jax.numpy_dtype_promotion, "strict"),
    "no rank promotion": (jax.numpy_rank_promotion, "raise"),
    "no leaked tracers": (jax.checking_leaks, None),
    "32 bits": (jax.enable_x64, False),
}


def cells(n_cells):
    x = np.random.default_rng(0).normal(size=(n_cells, 3)).astype(np.float32)
    x[: n_cells // 8] = np.round(x[: n_cells // 8])
    return x, np.arange(n_cells) % 5 > 0


@pytest.mark.slow
@pytest.mark.parametrize("setting", SETTINGS)
@pytest.mark.parametrize("n_neighbors", [5, 150])
def test_the_search_gives_the_same_neighbors_under(setting, n_neighbors):
    x, where = cells(300)
    expected = nearest_neighbors(jnp.asarray(x), n_neighbors, where=where, block_size=32)
    context, value = SETTINGS[setting]
    with context() if value is None else context(value):
        found = nearest_neighbors(jnp.asarray(x), n_neighbors, where=where, block_size=32)
    for one, other in zip(found, expected, strict=True):
        assert np.array_equal(one, other)


# Without jit a loop counts in Python's numbers, which the annotations do not allow.
@pytest.mark.slow
@pytest.mark.usefixtures("only_our_checks")
@pytest.mark.parametrize("n_neighbors", [5, 130])
def test_no_step_of_a_search_over_finite_cells_makes_a_nan(n_neighbors):
    x, where = cells(140)
    expected = nearest_neighbors(jnp.asarray(x), n_neighbors, where=where)
    with jax.disable_jit(), jax.debug_nans(True):
        found = nearest_neighbors(jnp.asarray(x), n_neighbors, where=where)
    # Which of two cells at the same distance comes first depends on roundings.
    np.testing.assert_allclose(found.squared_distances, expected.squared_distances, rtol=1e-5)
    assert np.array_equal(np.sort(found.indices), np.sort(expected.indices))
