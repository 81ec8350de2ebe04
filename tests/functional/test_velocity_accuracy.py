"""Velocity consistency where its differences cancel: vectors nearly parallel or of one length."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.measure.sweep.accuracy import relative_error
from diffbio.functional import velocity_consistency_loss
from reference import velocity as reference
from tests.inputs import for_reference
from tests.tiers import tiered
from tests.tolerances import GRADIENT, VALUE

N_CELLS, N_GENES, DT = 12, 30, 0.1
NAMES = ("expression", "velocity", "future_expression")
SCALARS = ("dt", "cosine_weight", "magnitude_weight")
WEIGHTS = {"both": (1.0, 1.0), "cosine": (1.0, 0.0), "magnitude": (0.0, 1.0)}
# The reference computes in float64, too, and loses as many digits as the vectors share.
TOLERANCES = {
    "float32": (VALUE["float32"], GRADIENT["float32"]),
    "float64": (GRADIENT["float64"], GRADIENT["float64"]),
}


def cells(seed, *, perturbation=0.0, ratio=1.0, scale=1.0, sign=1, origin=0.0, dtype="float32"):
    """Changes that are ``sign`` times the extrapolated ones, but for a relative perturbation.

    The velocities are ``ratio`` times longer.
    """
    rng = np.random.default_rng(seed)
    v, noise, x = rng.normal(size=(3, N_CELLS, N_GENES))
    lengths = [np.linalg.norm(vectors, axis=1, keepdims=True) for vectors in (v, noise)]
    change = sign * DT * (v + perturbation * noise * lengths[0] / lengths[1])
    arrays = (origin * x, ratio * v, origin * x + change)
    return {name: (scale * a).astype(dtype) for name, a in zip(NAMES, arrays, strict=True)}


@functools.cache
def program(transform):
    def loss(arrays, scalars, where, reduce=True):
        return velocity_consistency_loss(**arrays, **scalars, where=where, reduce=reduce)

    if transform == "cells":
        return jax.jit(functools.partial(loss, reduce=False))
    return jax.jit(jax.value_and_grad(loss, argnums=(0, 1)))


def agree(found, expected, tolerance, dtype):
    """Within the tolerance of the norm, if the dtype has such numbers with all their digits."""
    info, largest = np.finfo(dtype), np.abs(expected).max()
    if not info.tiny / info.eps <= largest <= info.max * info.eps:
        return True
    difference = np.asarray(found, np.float64) / largest - expected / largest
    return np.linalg.norm(difference) <= tolerance * np.linalg.norm(expected / largest)


def assert_accurate(arrays, weights, where=None):
    """Value, losses of cells and all gradients, against the reference on the same numbers."""
    dtype = arrays["velocity"].dtype.name
    scalars = {name: np.asarray(s, dtype) for name, s in zip(SCALARS, (DT, *weights), strict=True)}
    inputs, of_value, of_gradient = for_reference(arrays), *TOLERANCES[dtype]
    options = {name: float(scalar) for name, scalar in scalars.items()} | {"where": where}

    expected = reference.velocity_consistency_per_cell(**inputs, **options)
    losses = program("cells")(arrays, scalars, where)
    assert np.all(np.asarray(losses) >= 0)
    assert all(agree(*pair, of_value, dtype) for pair in zip(losses, expected, strict=True))

    value, (gradients, slopes) = program("gradient")(arrays, scalars, where)
    assert agree(value, reference.velocity_consistency_loss(**inputs, **options), of_value, dtype)
    by_array = reference.velocity_consistency_gradients(**inputs, **options)
    for name, gradient in by_array.items():
        assert agree(gradients[name], gradient, of_gradient, dtype), name
    for name in SCALARS[1:]:
        alone = options | {"cosine_weight": 0.0, "magnitude_weight": 0.0} | {name: 1.0}
        slope = reference.velocity_consistency_loss(**inputs, **alone)
        assert agree(slopes[name], slope, of_gradient, dtype), name
    if weights[0] == 0:  # dt multiplies the velocities. The slopes of cells may cancel.
        of_cells = (by_array["velocity"] * inputs["velocity"]).sum(axis=1) / DT
        largest = np.abs(of_cells).max()
        assert agree(slopes["dt"] + largest, of_cells.sum() + largest, of_gradient, dtype)


@pytest.mark.parametrize("dtype", tiered(TOLERANCES, quick=["float32"]))
@pytest.mark.parametrize("weights", WEIGHTS)
@given(
    seed=st.integers(0, 2**16),
    perturbation=st.floats(-6, 0),
    ratio=st.sampled_from([0, 1e-6, 1e-3]) | st.floats(-6, 6),
    scale=st.floats(-15, 15),
    sign=st.sampled_from([1, -1]),
    origin=st.sampled_from([0.0, 1.0]),
    masked=st.booleans(),
)
def test_nothing_cancels_for_nearly_parallel_vectors(
    weights, dtype, seed, perturbation, ratio, scale, sign, origin, masked
):
    """Relative perturbations, ratios of the lengths and scales over many orders of magnitude."""
    arrays = cells(
        seed,
        perturbation=10**perturbation,
        ratio=10**ratio,
        scale=10**scale,
        sign=sign,
        origin=origin,
        dtype=dtype,
    )
    where = np.arange(N_CELLS) % 3 != seed % 3 if masked else None
    assert_accurate(arrays, WEIGHTS[weights], where)


@pytest.mark.parametrize("dtype", tiered(TOLERANCES, quick=["float32"]))
@pytest.mark.parametrize("weights", WEIGHTS)
@given(
    seed=st.integers(0, 2**16),
    difference=st.floats(-6, 0),
    perturbation=st.floats(-3, 1),
    scale=st.floats(-10, 10),
)
def test_nothing_cancels_for_lengths_that_are_nearly_equal(
    weights, dtype, seed, difference, perturbation, scale
):
    """At all angles."""
    arrays = cells(seed, perturbation=10**perturbation, scale=10**scale, dtype="float64")
    change = arrays["future_expression"] - arrays["expression"]
    speed, length = (np.linalg.norm(a, axis=1, keepdims=True) for a in (arrays["velocity"], change))
    change *= (1 + 10**difference) * DT * speed / length
    arrays["future_expression"] = arrays["expression"] + change
    arrays = {name: array.astype(dtype) for name, array in arrays.items()}
    assert_accurate(arrays, WEIGHTS[weights])


@pytest.mark.parametrize("factor", [DT, 3.0, 1e-9, 1e9])
def test_parallel_cells_cost_nothing_and_opposite_ones_two(factor):
    v = np.random.default_rng(0).integers(-99, 99, size=(200, N_GENES)).astype(np.float32)
    for sign, expected in ((1, 0), (-1, 2)):
        losses = velocity_consistency_loss(
            np.zeros_like(v), v, np.float32(sign * factor) * v, magnitude_weight=0.0, reduce=False
        )
        assert np.all(np.asarray(losses) >= 0)
        np.testing.assert_allclose(losses, expected, rtol=1e-7, atol=1e-13)


def test_parallel_cells_of_one_length_pull_nowhere():
    a = np.random.default_rng(0).normal(size=(N_CELLS, N_GENES)).astype(np.float32)
    arrays = dict(zip(NAMES, (0 * a, a, a), strict=True))
    value, (gradients, _) = program("gradient")(arrays, dict.fromkeys(SCALARS, 1.0), None)
    assert 0 <= float(value) <= 1e-14
    assert all(np.all(np.abs(np.asarray(g)) <= 1e-7) for g in gradients.values())


def test_a_cell_that_rests_changes_nothing_for_nearly_parallel_ones():
    arrays = cells(0, perturbation=1e-4)
    arrays["velocity"][5] = 0
    losses = velocity_consistency_loss(**arrays, magnitude_weight=0.0, reduce=False)
    assert float(losses[5]) == 1
    assert_accurate(arrays, WEIGHTS["cosine"])
    others = {name: np.delete(array, 5, axis=0) for name, array in arrays.items()}
    alone = velocity_consistency_loss(**others, magnitude_weight=0.0, reduce=False)
    np.testing.assert_allclose(np.delete(losses, 5), alone, rtol=VALUE["float32"])


def test_a_nearly_parallel_cell_is_accurate_beside_any_others():
    """Its gradient is the largest, since its change is the shortest."""
    ordinary, parallel = cells(0, perturbation=1.0), cells(1, perturbation=1e-4, scale=1e-9)
    for n_parallel in (1, 3):
        arrays = {
            name: np.concatenate([parallel[name][:n_parallel], ordinary[name]]) for name in NAMES
        }
        for weights in WEIGHTS.values():
            assert_accurate(arrays, weights)


def test_vmap_gives_what_each_call_gives():
    """Among calls of which some need more than one pass, for different reasons."""
    stacks = [cells(0, perturbation=1.0), cells(1, perturbation=1e-4), cells(2, scale=1e-25)]
    scalars = {"dt": np.float32(DT), "cosine_weight": 1.0, "magnitude_weight": 1.0}
    stacked = jax.tree.map(lambda *arrays: jnp.stack(arrays), *stacks)
    for run in map(program, ("cells", "gradient")):
        call = functools.partial(lambda run, arrays: run(arrays, scalars, None), run)
        found = jax.vmap(call)(stacked)
        expected = jax.tree.map(lambda *results: np.stack(results), *map(call, stacks))
        for one, other in zip(jax.tree.leaves(found), jax.tree.leaves(expected), strict=True):
            for pair in zip(one, other, strict=True):
                assert relative_error(*pair) <= VALUE["float32"]


@pytest.mark.parametrize("perturbation", [1e-2, 1e-4])
@pytest.mark.parametrize("sign", [1, -1])
def test_second_derivatives_of_nearly_parallel_cells_are_differences_of_gradients(
    perturbation, sign
):
    point = cells(0, perturbation=perturbation, sign=sign, dtype="float64")
    direction = cells(1, perturbation=1.0, origin=1.0, dtype="float64")
    scalars = {"dt": DT, "cosine_weight": 1.0, "magnitude_weight": 1.0}

    def gradient(arrays):
        return program("gradient")(arrays, scalars, None)[1][0]

    _, found = jax.jvp(gradient, (point,), (direction,))
    step = 1e-3 * perturbation
    above, below = (
        gradient(jax.tree.map(lambda x, t, s=sign: x + s * step * t, point, direction))
        for sign in (1, -1)
    )
    for name in NAMES:
        expected = (above[name] - below[name]) / (2 * step)
        assert relative_error(found[name], expected) <= 1e-5, name
