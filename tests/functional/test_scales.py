"""Whatever the scale, and whatever lies far away: equal to the reference, cell by cell.

The reference computes in float64 with the same float32 numbers.
"""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from benchmarks.catalog.cases import CATALOG
from benchmarks.measure.sweep.accuracy import relative_error
from diffbio.functional import batch_mixing_loss, velocity_transition_loss
from reference import batch_mixing, transition
from reference.neighbors import nearest_neighbors
from tests.inputs import every_case
from tests.tolerances import GRADIENT, VALUE

N_CELLS, DIM, N_BATCHES, N_LISTED = 48, 5, 3, 9
OUTLIER = 7
# With neighbours given, batch_mixing_precomputed is batch_mixing.
MIXING = [
    case
    for case in CATALOG
    if case.name.startswith("batch_mixing") and case.name != "batch_mixing_precomputed"
]
EACH_MIXING = every_case(quick=("batch_mixing_recommended", "batch_mixing"), cases=MIXING)
SCALE_FREE = ("batch_mixing_local", "batch_mixing_recommended")
LABELS = np.random.default_rng(0).integers(N_BATCHES, size=N_CELLS)
POWERS = {
    "scale": st.floats(-15, 15),
    "outlier": st.floats(0, 18),
    "seed": st.integers(0, 1000),
}


def cells_with_an_outlier(scale, outlier, seed):
    """Cells of a scale, one of them farther away; some list it as a neighbour."""
    x = np.random.default_rng(seed).normal(size=(N_CELLS, DIM))
    x[OUTLIER] *= outlier
    x = (scale * x).astype(np.float32)
    indices = nearest_neighbors(x, N_LISTED)
    # Rounding in float32 decides which cells are nearest to one that is far from all.
    indices[OUTLIER] = -1
    indices[:5, 3] = OUTLIER
    return x, indices


def same(found, expected, tolerance):
    return np.all(np.isfinite(found)) and relative_error(found, expected) <= tolerance


@functools.cache
def mixing_program(case):
    """Value per cell, and gradient of the mean."""

    def loss(x, indices, options):
        losses = case.loss(x, LABELS, neighbor_indices=indices, reduce=False, **options)
        return jnp.mean(losses), losses

    return jax.jit(jax.value_and_grad(loss, has_aux=True))


def assert_mixing_equals_the_reference(case, x, indices, options):
    (_, losses), gradient = mixing_program(case)(x, indices, options)
    per_cell = functools.partial(batch_mixing.batch_mixing_per_cell, **case.reference.keywords)
    expected = per_cell(x, LABELS, neighbor_indices=indices, **options)
    by_name = case.reference_gradients(x, LABELS, neighbor_indices=indices, **options)
    bulk = np.arange(N_CELLS) != OUTLIER
    assert np.abs(losses - expected).max() <= VALUE["float32"]
    assert same(losses, expected, VALUE["float32"])
    assert same(gradient, by_name["embeddings"], GRADIENT["float32"])
    assert same(gradient[bulk], by_name["embeddings"][bulk], GRADIENT["float32"])


def temperature_for(case, scale):
    return {} if case.name in SCALE_FREE else {"temperature": np.float32(2 * scale**2)}


@EACH_MIXING
@settings(max_examples=40, deadline=None)
@given(**POWERS)
def test_mixing_equals_the_reference_at_every_scale_beside_an_outlier(case, scale, outlier, seed):
    x, indices = cells_with_an_outlier(10**scale, 10**outlier, seed)
    assert_mixing_equals_the_reference(case, x, indices, temperature_for(case, 10**scale))


@pytest.mark.parametrize("scale", [1e16, 1e17, 1e18])
@EACH_MIXING
def test_mixing_equals_the_reference_where_squares_are_almost_out_of_range(case, scale):
    x, indices = cells_with_an_outlier(scale, 1.0, 0)
    assert_mixing_equals_the_reference(case, x, indices, temperature_for(case, scale))


@pytest.mark.parametrize("far", [1e20, 1e25, 1e28, 1e37])
@EACH_MIXING
def test_a_finite_cell_makes_nothing_infinite_however_far_it_lies(case, far):
    x, indices = cells_with_an_outlier(1.0, 1.0, 0)
    x[OUTLIER] = far
    if far <= 1e28:
        assert_mixing_equals_the_reference(case, x, indices, {})
    searched = nearest_neighbors(x, N_LISTED)
    (_, losses), gradient = mixing_program(case)(x, searched, {})
    assert np.all(np.isfinite(losses))
    assert np.all(np.isfinite(gradient))


@functools.cache
def transition_program():
    def loss(x, v, indices):
        return velocity_transition_loss(x, v, dt=0.125, neighbor_indices=indices)

    return jax.jit(jax.value_and_grad(loss, argnums=(0, 1)))


def assert_transitions_equal_the_reference(x, v, indices):
    value, gradients = transition_program()(x, v, indices)
    options = {"dt": 0.125, "neighbor_indices": indices}
    assert same(value, transition.velocity_transition_loss(x, v, **options), VALUE["float32"])
    by_name = transition.velocity_transition_gradients(x, v, **options)
    for found, expected in zip(gradients, by_name.values(), strict=True):
        assert same(found, expected, GRADIENT["float32"])


@settings(max_examples=80, deadline=None)
@given(**POWERS, ratio=st.floats(-12, 12), listed=st.booleans())
def test_transitions_equal_the_reference_at_every_scale_and_length_of_the_step(
    scale, outlier, seed, ratio, listed
):
    """Steps that are far longer or shorter than the neighbours' distances included."""
    x, indices = cells_with_an_outlier(10**scale, 10**outlier, seed)
    if not listed:
        indices[:5, 3] = -1
    # The loss itself is a square, and its gradient by the step is a square over a step.
    longest = max(ratio, outlier if listed else 0)
    assume(scale + longest <= 18 and scale + 2 * longest - ratio <= 36)
    v = np.random.default_rng(seed + 1).normal(size=x.shape) * 10 ** (scale + ratio)
    assert_transitions_equal_the_reference(x, v.astype(np.float32), indices)


@pytest.mark.parametrize("by_x", [1e-20, 1e13, 1.0])
def test_expression_and_velocity_may_have_scales_far_apart(by_x):
    rng = np.random.default_rng(0)
    x, v = rng.normal(size=(2, N_CELLS, DIM)).astype(np.float32)
    indices = nearest_neighbors(x, N_LISTED)
    assert_transitions_equal_the_reference(np.float32(by_x) * x, v, indices)


@pytest.mark.parametrize("tiny", [1e-10, 1e-20, 1e-35])
def test_a_step_that_is_almost_0_has_a_direction(tiny):
    rng = np.random.default_rng(0)
    x, v = rng.normal(size=(2, N_CELLS, DIM)).astype(np.float32)
    v[3] *= np.float32(tiny)
    assert_transitions_equal_the_reference(x, v, nearest_neighbors(x, N_LISTED))


@functools.cache
def excess_program(n_batches):
    return jax.jit(
        lambda x, labels, indices: batch_mixing_loss(
            x,
            labels,
            n_batches=n_batches,
            neighbor_indices=indices,
            index="simpson",
            normalize=True,
            reduce=False,
        )
    )


@pytest.mark.parametrize("n_batches", [2, 3, 5])
def test_simpsons_index_of_batches_with_equal_shares_is_0_after_normalization(n_batches):
    """Each batch has two neighbours at a distance of 1, so that all weights are equal."""
    axes = np.eye(n_batches, dtype=np.float32)
    x = np.concatenate([np.zeros((1, n_batches), np.float32), axes, -axes])
    labels = np.concatenate([[0], np.arange(n_batches), np.arange(n_batches)])
    indices = np.full((len(x), len(x) - 1), -1)
    indices[0] = np.arange(1, len(x))
    assert abs(excess_program(n_batches)(x, labels, indices)[0]) <= 1e-13


@pytest.mark.parametrize("unknown", [False, True])
@pytest.mark.parametrize("spread", [1.0, 1e-1, 1e-2, 1e-3, 1e-4])
def test_simpsons_index_of_nearly_mixed_batches_is_off_by_its_own_share(spread, unknown):
    """Shares that differ by s have an excess near s^2, which their rounding moves by ``s eps``."""
    rng = np.random.default_rng(0)
    k, n_cells = 12, 20
    x = np.zeros((n_cells * (k + 1), DIM), np.float32)
    directions = rng.normal(size=(n_cells, k, DIM))
    directions /= np.linalg.norm(directions, axis=2, keepdims=True)
    lengths = 1 + spread * rng.normal(size=(n_cells, k, 1)) / 4
    x[n_cells:] = (directions * lengths).reshape(-1, DIM)
    labels = np.concatenate([np.zeros(n_cells, int), np.tile(np.arange(k) % 3, n_cells)])
    if unknown:
        labels[n_cells::k] = -1
    indices = np.full((len(x), k), -1)
    indices[:n_cells] = n_cells + np.arange(n_cells * k).reshape(n_cells, k)
    found = np.asarray(excess_program(3)(x, labels, indices))[:n_cells]
    expected = batch_mixing.batch_mixing_per_cell(
        x, labels, index="simpson", normalize=True, neighbor_indices=indices
    )[:n_cells]
    eps = np.finfo(np.float32).eps
    assert np.all(np.abs(found - expected) <= 4 * eps * np.sqrt(np.abs(expected)) + 1e-13)
