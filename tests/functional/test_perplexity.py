"""Weights of a perplexity: the entropy that was asked for, and its limits where there is none."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.measure.sweep.accuracy import relative_error
from diffbio.functional import Perplexity, batch_mixing_loss
from diffbio.functional._mixing.perplexity import perplexity_weights
from reference import batch_mixing as reference
from reference import weights as reference_weights
from tests.inputs import N_BATCHES, N_CELLS

K, N_COLUMNS = 15, 200
WEIGHTS = jax.jit(perplexity_weights)
LABELS = jnp.arange(N_CELLS) % N_BATCHES


@jax.jit
def mixing(x, perplexity=5.0):
    return batch_mixing_loss(x, LABELS, temperature=Perplexity(perplexity))


def weights_of(squares, perplexity, usable=None):
    usable = np.ones(squares.shape, bool) if usable is None else usable
    return WEIGHTS(squares, np.full(squares.shape[1], perplexity, squares.dtype), usable)


def entropy(weights):
    w = np.asarray(weights, np.float64)
    return -(w * np.log(np.where(w > 0, w, 1))).sum(axis=0)


rng = np.random.default_rng(0)
DISTANCES = {
    "alike": rng.normal(size=(K, N_COLUMNS)) ** 2,
    "far from 0": 1 + 0.1 * rng.random((K, N_COLUMNS)),
    "a duplicate": np.vstack([np.zeros((1, N_COLUMNS)), rng.random((K - 1, N_COLUMNS))]),
    "outliers": rng.random((K, N_COLUMNS)) + 1e6 * (np.arange(K) > 6)[:, None],
    "all scales": 10.0 ** rng.uniform(-16, 0, (K, N_COLUMNS)),
    "steps": 10.0 ** rng.integers(-16, 1, (K, N_COLUMNS)) * (1 + 1e-2 * rng.random((K, N_COLUMNS))),
}
PRECISION = {"float32": 1e-6, "float64": 1e-12}


@pytest.mark.parametrize("scale", [1e-18, 1.0, 1e18])
@pytest.mark.parametrize("dtype", PRECISION)
def test_the_entropy_is_the_logarithm_of_the_perplexity(dtype, scale):
    for name, d in DISTANCES.items():
        squares = (d.astype(dtype) * np.asarray(scale if dtype == "float64" else 1, dtype)) ** 2
        for perplexity in (1.5, 2.5, 5.0, 13.5):
            nearest = (np.sqrt(squares) <= (1 + 1e-5) * np.sqrt(squares.min(axis=0))).sum(axis=0)
            error = entropy(weights_of(squares, perplexity)) - np.log(perplexity)
            worst = np.abs(error[nearest < perplexity]).max()
            assert worst <= PRECISION[dtype], (name, perplexity)


def test_weights_equal_the_references():
    for name, d in DISTANCES.items():
        weights = np.asarray(weights_of(d**2, 5.0))
        for column in range(20):
            expected, _ = reference_weights.perplexity_weights(d[:, column] ** 2, 5.0)
            np.testing.assert_allclose(weights[:, column], expected, atol=1e-12, err_msg=name)


@pytest.mark.parametrize("dtype", PRECISION)
def test_the_weights_of_a_cell_do_not_depend_on_the_cells_beside_it(dtype):
    """A cell whose entropy is right keeps its temperature while others take further steps."""
    alike = DISTANCES["alike"].astype(dtype) ** 2
    hard = DISTANCES["all scales"].astype(dtype) ** 2
    mixed = np.where(np.arange(N_COLUMNS) % 2, alike, hard)
    assert np.array_equal(
        np.asarray(weights_of(mixed, 5.0))[:, 1::2], np.asarray(weights_of(alike, 5.0))[:, 1::2]
    )


def slopes(squares, perplexity, usable):
    """Of some function of the weights, by the squared distances."""
    values = jnp.arange(squares.shape[0], dtype=squares.dtype)[:, None]
    parameter = jnp.full(squares.shape[1], perplexity, squares.dtype)
    usable = jnp.asarray(usable)
    return jax.grad(lambda s: jnp.sum(values**2 * perplexity_weights(s, parameter, usable)))(
        jnp.asarray(squares)
    )


ROUNDED = 3 * (0.1 + 0.2 + np.array([0.0, 1.0, -1.0, 2.0, 0.0])[:, None] * np.finfo(float).eps)
LIMITS = {
    "all alike": (np.full((5, 1), 4.0), 2.0, [1, 1, 1, 1, 1]),
    "alike to rounding": (ROUNDED, 2.0, [1, 1, 1, 1, 1]),
    "all duplicates": (np.zeros((5, 1)), 2.0, [1, 1, 1, 1, 1]),
    "as many nearest as the perplexity": (
        np.array([[1.0], [3], [1], [5], [7]]),
        2.0,
        [1, 0, 1, 0, 0],
    ),
    "more nearest than the perplexity": (
        np.array([[0.0], [3], [0], [0], [7]]),
        2.0,
        [1, 0, 1, 1, 0],
    ),
    "as few as the perplexity": (np.array([[1.0], [3], [2]]), 3.0, [1, 1, 1]),
    "fewer than the perplexity": (np.array([[1.0], [3]]), 3.0, [1, 1]),
}


@pytest.mark.parametrize("name", LIMITS)
def test_where_no_weights_have_the_perplexity_the_nearest_ones_are_uniform_and_constant(name):
    squares, perplexity, members = LIMITS[name]
    expected = np.array(members)[:, None] / sum(members)
    # What is not usable does not count, wherever it lies.
    squares = np.vstack([squares, [[0.0]]])
    usable = np.arange(len(squares))[:, None] < len(members)
    found = weights_of(squares, perplexity, usable)
    np.testing.assert_allclose(found, np.vstack([expected, [[0]]]), atol=1e-15)
    assert np.all(np.asarray(slopes(squares, perplexity, usable)) == 0)


def test_a_cell_without_neighbors_has_no_weights():
    squares, usable = np.ones((4, 1)), np.zeros((4, 1), bool)
    assert np.all(np.asarray(weights_of(squares, 2.0, usable)) == 0)
    assert np.all(np.asarray(slopes(squares, 2.0, usable)) == 0)


def test_slopes_do_not_see_a_multiple_or_a_shift_of_the_distances():
    """The regression of the reference: both change no weight, so their derivatives are 0."""
    d = DISTANCES["alike"][:, :20] + 0.1
    by_distance = 2 * d * np.asarray(slopes(d**2, 5.0, np.ones(d.shape, bool)))
    size = np.abs(by_distance * d).sum(axis=0)
    assert np.all(np.abs(by_distance.sum(axis=0)) <= 1e-12 * np.abs(by_distance).sum(axis=0))
    assert np.all(np.abs((d * by_distance).sum(axis=0)) <= 1e-12 * size)


@given(seed=st.integers(0, 10_000), scale=st.floats(1e-18, 1e18))
def test_the_loss_does_not_see_the_scale(seed, scale):
    x = jnp.asarray(np.random.default_rng(seed).normal(size=(N_CELLS, 4)))
    assert relative_error(mixing(scale * x), mixing(x)) <= 1e-10


def test_a_distance_of_0_has_no_gradient_of_its_own():
    x = np.random.default_rng(0).normal(size=(N_CELLS, 4))
    x[1::2] = x[::2]
    gradient = jax.grad(mixing)(x)
    expected = reference.batch_mixing_gradients(x, LABELS, temperature=Perplexity(5.0))[
        "embeddings"
    ]
    assert relative_error(gradient, expected) <= 1e-9


def test_the_perplexity_may_be_traced_and_differentiated():
    x = jnp.asarray(np.random.default_rng(0).normal(size=(N_CELLS, 4)))
    slope = jax.grad(mixing, argnums=1)(x, 5.0)
    ends = [
        reference.batch_mixing_loss(x, LABELS, temperature=Perplexity(5 + step))
        for step in (1e-5, -1e-5)
    ]
    assert float(slope) == pytest.approx((ends[0] - ends[1]) / 2e-5, rel=1e-7)
