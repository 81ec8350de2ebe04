"""Velocities near the observed change in direction and length, which is where training ends.

The expected numbers are those of long doubles, in which ``1 - cos`` keeps its digits.
"""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from diffbio.functional import velocity_consistency_loss
from tests.tolerances import DTYPES, GRADIENT, VALUE

N_CELLS, N_GENES, DT = 12, 40, 0.1
NAMES = ("expression", "velocity", "future_expression")
WEIGHTS = {"both": (1.0, 1.0), "direction": (1.0, 0.0), "length": (0.0, 1.0)}


def exact(x, v, f, dt, cosine_weight, magnitude_weight):
    """The losses of the cells, and the gradients of their mean."""
    x, v, f = (np.asarray(np.asarray(array, np.float64), np.longdouble) for array in (x, v, f))
    dt = np.longdouble(dt)
    a = f - x
    speed, distance = (np.sqrt((u * u).sum(axis=1, keepdims=True)) for u in (v, a))
    v_unit, a_unit = v / speed, a / distance
    # |v^ - a^|^2 / 2 is 1 - cos without cancellation.
    turn = ((v_unit - a_unit) ** 2).sum(axis=1, keepdims=True) / 2
    excess = dt * speed - distance
    losses = cosine_weight * turn + magnitude_weight * excess**2
    by_v = cosine_weight * ((v_unit - a_unit) - turn * v_unit) / speed
    by_v += 2 * magnitude_weight * excess * dt * v_unit
    by_a = cosine_weight * ((a_unit - v_unit) - turn * a_unit) / distance
    by_a -= 2 * magnitude_weight * excess * a_unit
    return losses[:, 0], {
        name: g / len(x) for name, g in zip(NAMES, (-by_a, by_v, by_a), strict=True)
    }


def near(seed, perturbation, ratio=1.0, scale=1.0, sign=1.0, offset=0.0, dtype=np.float32):
    """Changes of the given scale, and velocities that extrapolate to ``ratio`` times the change."""
    rng = np.random.default_rng(seed)
    a = rng.normal(size=(N_CELLS, N_GENES))
    x = offset * rng.random(size=a.shape)
    turned = a + perturbation * rng.normal(size=a.shape)
    arrays = (scale * x, sign * ratio * scale * turned / DT, scale * (x + a))
    return tuple(np.asarray(array, dtype) for array in arrays)


@functools.cache
def program(reduce):
    def loss(arrays, dt, cosine_weight, magnitude_weight):
        options = {"cosine_weight": cosine_weight, "magnitude_weight": magnitude_weight}
        return velocity_consistency_loss(*arrays, dt=dt, **options, reduce=reduce)

    return jax.jit(jax.value_and_grad(loss) if reduce else loss)


def assert_exact(arrays, weights, dtype="float32"):
    dt = float(np.asarray(DT, DTYPES[dtype]))
    losses, gradients = exact(*arrays, dt, *weights)
    value, found = program(True)(arrays, DT, *weights)
    mean = float(losses.mean())
    assert abs(float(value) - mean) <= VALUE[dtype] * mean
    assert float(value) >= 0
    for gradient, (name, expected) in zip(found, gradients.items(), strict=True):
        difference = np.asarray(gradient, np.longdouble) - expected
        size = np.sqrt((expected**2).sum())
        assert np.sqrt((difference**2).sum()) <= GRADIENT[dtype] * size, name
    per_cell = np.asarray(program(False)(arrays, DT, *weights), np.longdouble)
    assert np.all(np.abs(per_cell - losses) <= VALUE[dtype] * losses)


@pytest.mark.parametrize("weights", WEIGHTS)
@pytest.mark.parametrize("perturbation", [1.0, 1e-1, 1e-2, 1e-3, 1e-4, 1e-5, 1e-6])
def test_value_and_gradient_are_exact_however_near_the_velocity_is(perturbation, weights):
    for seed in range(3):
        assert_exact(near(seed, perturbation), WEIGHTS[weights])


@given(
    seed=st.integers(0, 10_000),
    perturbation=st.floats(-6, 0),
    ratio=st.one_of(st.just(0.0), st.floats(-6, 6)),
    scale=st.floats(-15, 15),
    offset=st.sampled_from([0.0, 1.0]),
    sign=st.sampled_from([1.0, -1.0]),
)
def test_direction_is_exact_at_every_ratio_of_lengths_and_every_scale(
    seed, perturbation, ratio, scale, offset, sign
):
    scale = 2.0 ** round(scale * np.log2(10))
    arrays = near(seed, 10.0**perturbation, 10.0**ratio, scale, sign, offset)
    assert_exact(arrays, WEIGHTS["direction"])


@given(seed=st.integers(0, 10_000), perturbation=st.floats(-6, 0), scale=st.floats(-9, 9))
def test_direction_and_length_are_exact_at_every_scale(seed, perturbation, scale):
    assert_exact(near(seed, 10.0**perturbation, scale=10.0**scale), WEIGHTS["both"])


def test_float64_is_exact_too():
    for perturbation in (1e-2, 1e-4, 1e-5):
        arrays = near(0, perturbation, dtype=np.float64)
        assert_exact(arrays, WEIGHTS["both"], "float64")


def test_parallel_cells_of_one_length_cost_next_to_nothing_and_pull_nowhere():
    a = np.random.default_rng(0).normal(size=(N_CELLS, N_GENES)).astype(np.float32)
    value, gradients = program(True)((0 * a, a, a), 1.0, 1.0, 1.0)
    assert 0 <= float(value) <= 1e-14
    assert all(np.all(np.abs(np.asarray(g)) <= 1e-7) for g in gradients)


def test_masked_and_zero_cells_change_nothing_for_nearly_parallel_ones():
    x, v, f = near(0, 1e-4)
    where = jnp.arange(N_CELLS) > 3
    alone = velocity_consistency_loss(x[4:], v[4:], f[4:])
    assert float(velocity_consistency_loss(x, v, f, where=where)) == pytest.approx(
        float(alone), rel=1e-6
    )
    v[5] = 0
    losses = velocity_consistency_loss(x, v, f, magnitude_weight=0.0, reduce=False)
    assert float(losses[5]) == 1
    expected, _ = exact(*(np.delete(array, 5, axis=0) for array in (x, v, f)), DT, 1.0, 0.0)
    np.testing.assert_allclose(np.delete(losses, 5), expected.astype(float), rtol=1e-5)
