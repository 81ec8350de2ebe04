"""Far outside of ordinary numbers: finite, and equal to the reference."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from diffbio.functional import (
    Local,
    batch_mixing_loss,
    clustering_compactness_loss,
    velocity_transition_loss,
)
from reference import batch_mixing, compactness, transition
from reference.neighbors import nearest_neighbors
from tests.inputs import for_reference
from tests.tiers import tiered
from tests.tolerances import DTYPES, GRADIENT, REPEATED_GRADIENT, VALUE

N_CELLS, DIM, N_BATCHES = 17, 5, 3
TEMPERATURES = (*(10.0**e for e in range(-30, 31, 2)), 1e-3, 1.48)
LABELS = np.arange(N_CELLS) % N_BATCHES
KINDS = {"fixed": lambda t: t, "local": Local}
KIND = pytest.mark.parametrize("kind", KINDS)


@functools.cache
def mixing_program(kind):
    def loss(x, temperature, indices, labels):
        return batch_mixing_loss(
            x, labels, temperature=KINDS[kind](temperature), neighbor_indices=indices
        )

    return jax.jit(jax.value_and_grad(loss, argnums=(0, 1)))


@functools.cache
def transition_program():
    def loss(x, v, temperature, indices):
        return velocity_transition_loss(x, v, temperature=temperature, neighbor_indices=indices)

    return jax.jit(jax.value_and_grad(loss, argnums=(0, 1, 2)))


def finite(tree):
    return all(np.isfinite(np.asarray(leaf)).all() for leaf in jax.tree.leaves(tree))


def agree(found, expected, tolerance):
    """Within the tolerance of the expected norm, or of numbers that float32 can tell from 0."""
    difference = np.linalg.norm(np.asarray(found, np.float64) - expected)
    return difference <= tolerance * np.linalg.norm(expected) + np.finfo(np.float32).tiny


def cells_with_an_outlier(seed, scale=1.0):
    x = np.random.default_rng(seed).normal(size=(N_CELLS, DIM))
    x[3] *= 1e6
    return (scale * x).astype(np.float32)


def grid_cells(seed):
    """Cells whose squared distances are exact in float32, and their neighbours."""
    x = np.random.default_rng(seed).integers(8, size=(N_CELLS, DIM)).astype(np.float32)
    return x, nearest_neighbors(x, 4)


@KIND
@pytest.mark.parametrize("scale", [1e-15, 1.0, 1e12])
def test_batch_mixing_is_finite_at_every_temperature(kind, scale):
    for seed in range(3):
        x = cells_with_an_outlier(seed, scale)
        indices = nearest_neighbors(x, 2)
        for temperature in TEMPERATURES:
            found = mixing_program(kind)(x, temperature, indices, LABELS)
            assert finite(found), (seed, temperature)


@KIND
def test_batch_mixing_equals_the_reference_at_every_temperature(kind):
    for seed in range(3):
        x, indices = grid_cells(seed)
        for temperature in TEMPERATURES:
            if kind == "local" and 1e-6 < temperature < 1e-2:
                continue  # The ratios' rounding over T is an error of the weights.
            options = {
                "temperature": KINDS[kind](float(np.float32(temperature))),
                "neighbor_indices": indices,
            }
            value, (gradient, _) = mixing_program(kind)(x, temperature, indices, LABELS)
            expected = batch_mixing.batch_mixing_loss(x, LABELS, **options)
            slopes = batch_mixing.batch_mixing_gradients(x, LABELS, **options)["embeddings"]
            assert agree(value, expected, VALUE["float32"]), (seed, temperature)
            assert agree(gradient, slopes, GRADIENT["float32"]), (seed, temperature)


@pytest.mark.parametrize("temperature", [0.1, 1.0, 1.48])
def test_two_equally_far_neighbours_share_the_weight(temperature):
    n, far = 9, 100.0
    indices = np.full((3 * n, 2), -1)
    indices[:n] = np.stack([n + np.arange(n), 2 * n + np.arange(n)], axis=1)
    labels = np.repeat([0, 0, 1], n)
    program = jax.jit(functools.partial(batch_mixing_loss, reduce=False))
    for seed in range(50):
        u = far * np.random.default_rng(seed).integers(-1000, 1000, size=(n, DIM))
        x = np.concatenate([0 * u, u, -u]).astype(np.float32)
        losses = program(x, labels, temperature=temperature, neighbor_indices=indices)
        np.testing.assert_allclose(losses[:n], -np.log(2), rtol=1e-6)


def test_transitions_are_finite_and_equal_the_reference_at_every_temperature():
    rng = np.random.default_rng(0)
    x, indices = grid_cells(0)
    v = rng.integers(-8, 8, size=x.shape).astype(np.float32)
    v[:2], x[5] = 0, x[4]
    for temperature in TEMPERATURES:
        value, gradients = transition_program()(x, v, temperature, indices)
        assert finite((value, gradients)), temperature
        if 1e-12 < temperature < 1e-1:
            continue  # Cosines that differ by rounding alone share the weight here.
        options = {"temperature": float(np.float32(temperature)), "neighbor_indices": indices}
        expected = transition.velocity_transition_loss(x, v, **options)
        slopes = transition.velocity_transition_gradients(x, v, **options)
        assert agree(value, expected, VALUE["float32"]), temperature
        for found, name in zip(gradients, ("expression", "velocity"), strict=False):
            assert agree(found, slopes[name], GRADIENT["float32"]), (temperature, name)


SCALES = {"float32": 50, "bfloat16": 50, "float64": 400}


@pytest.mark.parametrize("dtype", DTYPES)
def test_the_local_temperature_does_not_see_a_scale_that_is_almost_out_of_range(dtype):
    """Powers of 2 up to 1e15 (1e120 in float64), which round nothing."""
    x = np.random.default_rng(0).normal(size=(N_CELLS, DIM)).astype(DTYPES[dtype])
    x[5] = x[4]
    indices = nearest_neighbors(x, 4)
    for temperature in (1e-2, 1.0, 1e3):
        value, slopes = mixing_program("local")(x, temperature, indices, LABELS)
        for exponent in np.linspace(-1, 1, 9) * SCALES[dtype]:
            scale = 2.0 ** int(exponent)
            scaled = (scale * x.astype(np.float64)).astype(x.dtype)
            found, found_slopes = mixing_program("local")(scaled, temperature, indices, LABELS)
            assert agree(found, float(value), VALUE["float64"]), scale
            assert agree(
                np.asarray(found_slopes[0], np.float64) * scale,
                np.asarray(slopes[0], np.float64),
                REPEATED_GRADIENT,
            ), scale
            assert agree(found_slopes[1], float(slopes[1]), VALUE["float64"]), scale


GAPS = np.concatenate([np.arange(0, 200, 4.0), np.arange(86.5, 89.5, 0.25)])


@jax.jit
@jax.value_and_grad
def compactness_program(arrays, margin, **options):
    return clustering_compactness_loss(**arrays, min_separation=margin, **options)


@jax.jit
@jax.grad
def slopes_by_logits(logits, arrays, margin):
    arrays = {**arrays, "assignments": jax.nn.softmax(logits)}
    return clustering_compactness_loss(**arrays, min_separation=margin)


@pytest.mark.parametrize("given", [False, True], ids=["means", "given centroids"])
@pytest.mark.parametrize("dtype", tiered(DTYPES, quick=["float32"]))
def test_a_dying_cluster_is_finite_and_equals_the_reference(dtype, given):
    arithmetic = jnp.finfo(jnp.promote_types(DTYPES[dtype], jnp.float32))
    smallest_total = float(arithmetic.tiny) / float(arithmetic.eps)
    for seed, scale in enumerate((10.0, 30.0, 100.0)):
        rng = np.random.default_rng(seed)
        logits, margin = rng.normal(size=(60, 3)), 50 * scale
        arrays = {"embeddings": scale * rng.normal(size=(60, 5))}
        if given:
            arrays["centroids"] = scale * rng.normal(size=(3, 5))
        arrays = {name: jnp.asarray(array, DTYPES[dtype]) for name, array in arrays.items()}
        for gap in GAPS:
            lower = jnp.asarray(logits - [0, 0, gap], DTYPES[dtype])
            by_logits = slopes_by_logits(lower, arrays, margin)
            assert finite(by_logits), (seed, gap)

            arrays["assignments"] = jax.nn.softmax(lower)
            rounded = for_reference(arrays)
            a = rounded["assignments"]
            assert abs(a[:, 2].sum() / smallest_total - 1) > 1e-3, "too near to tell"
            value, slopes = compactness_program(arrays, margin)
            options = {"min_separation": margin, "smallest_total": smallest_total}
            expected = compactness.clustering_compactness_loss(**rounded, **options)
            by_name = compactness.clustering_compactness_gradients(**rounded, **options)
            assert agree(value, expected, VALUE[dtype]), (seed, gap)
            for name, slope in by_name.items():
                assert agree(slopes[name], slope, GRADIENT[dtype]), (seed, gap, name)
            # What the logits get; in bfloat16 the softmax's own rounding is larger.
            pulls = a * by_name["assignments"]
            assert agree(a * slopes["assignments"], pulls, GRADIENT[dtype]), (seed, gap)
            if dtype != "bfloat16":
                through_softmax = pulls - a * pulls.sum(axis=1, keepdims=True)
                assert agree(by_logits, through_softmax, GRADIENT[dtype]), (seed, gap)


@pytest.mark.parametrize("masked", [False, True])
@pytest.mark.parametrize("offset", [0.0, 1e4, 1e6])
def test_given_centroids_are_accurate_far_from_the_origin(offset, masked):
    for seed in range(5):
        rng = np.random.default_rng(seed)
        arrays = {
            "embeddings": rng.normal(size=(50, 5)) + offset,
            "assignments": rng.dirichlet(np.ones(4), 50),
            "centroids": rng.normal(size=(4, 5)) + offset,
        }
        arrays = {name: jnp.asarray(array, jnp.float32) for name, array in arrays.items()}
        where = {"where": rng.random(50) < 0.7} if masked else {}
        value, slopes = compactness_program(arrays, 1.0, **where)
        rounded = {**for_reference(arrays), **where}
        expected = compactness.clustering_compactness_loss(**rounded)
        assert agree(value, expected, 1e-6)
        for name, slope in compactness.clustering_compactness_gradients(**rounded).items():
            assert agree(slopes[name], slope, 1e-6), name


def test_the_separation_of_close_centroids_is_accurate_far_from_the_origin():
    """Pairs 1e-3 apart at 1e4, which a product of centroids could not tell apart."""
    rng = np.random.default_rng(0)
    c = 1e4 + np.repeat(rng.normal(size=(20, 5)), 2, axis=0)
    c[1::2] += 1e-2 * rng.normal(size=(20, 5))
    arrays = {
        "embeddings": 1e4 + rng.normal(size=(50, 5)),
        "assignments": rng.dirichlet(np.ones(40), 50),
        "centroids": c,
    }
    arrays = {name: jnp.asarray(array, jnp.float32) for name, array in arrays.items()}
    for margin in (2e-2, 2.0):
        value, slopes = compactness_program(arrays, margin, separation_weight=1e6)
        options = {"min_separation": margin, "separation_weight": 1e6}
        rounded = for_reference(arrays)
        expected = compactness.clustering_compactness_loss(**rounded, **options)
        by_name = compactness.clustering_compactness_gradients(**rounded, **options)
        assert agree(value, expected, 1e-6)
        assert agree(slopes["centroids"], by_name["centroids"], 1e-6)
