"""In float32 no more digits are lost than the numbers themselves have."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from benchmarks.measure.sweep.accuracy import relative_error
from diffbio.functional import (
    batch_mixing_loss,
    clustering_compactness_loss,
    velocity_consistency_loss,
)
from reference import batch_mixing as reference


@pytest.mark.parametrize("distance", [3.0, 4.0, 5.0])
def test_a_small_entropy_and_its_gradient_are_accurate_in_float32(distance):
    x, labels = np.array([[0.0], [0.0], [distance]]), np.array([0, 0, 1])
    value, gradient = jax.value_and_grad(batch_mixing_loss)(
        jnp.asarray(x, jnp.float32), jnp.asarray(labels), n_neighbors=2
    )
    expected = reference.batch_mixing_gradients(x, labels, n_neighbors=2)["embeddings"]
    assert relative_error(value, reference.batch_mixing_loss(x, labels, n_neighbors=2)) <= 1e-6
    assert relative_error(gradient, expected) <= 1e-6


@pytest.mark.parametrize("distance", [3.0, 4.0])
@pytest.mark.parametrize("options", [{"index": "simpson"}, {"proportions": (0.2, 0.3, 0.5)}])
def test_the_slopes_of_a_small_share_are_accurate_in_float32(distance, options):
    x, labels = np.array([[0.0], [0.0], [distance]]), np.array([0, 0, 1])
    gradient = jax.grad(batch_mixing_loss)(
        jnp.asarray(x, jnp.float32), jnp.asarray(labels), n_neighbors=2, **options
    )
    expected = reference.batch_mixing_gradients(x, labels, n_neighbors=2, **options)["embeddings"]
    assert relative_error(gradient, expected) <= 1e-6


@jax.jit
@partial(jax.grad, argnums=(0, 1, 2))
def separation_slopes(x, a, c):
    """Of the separation alone, by all arrays; c may be None."""
    losses = [
        clustering_compactness_loss(x, a, c, separation_weight=weight, min_separation=3.0)
        for weight in (1.0, 0.0)
    ]
    return losses[0] - losses[1]


@pytest.mark.parametrize("dim", [1, 5])
def test_centroids_that_must_coincide_have_no_gradient(dim):
    """Given equal, means of identical cells, or means by equal assignments."""
    for seed in range(20):
        rng = np.random.default_rng(seed)
        x = (rng.normal(size=(50, dim)) + 10 * seed).astype(np.float32)
        a = rng.dirichlet(np.ones(4), 50).astype(np.float32)
        cases = (
            (x, a, np.repeat(x[:1], 4, axis=0)),
            (np.repeat(x[:1], 50, axis=0), a, None),
            (x, np.full((50, 4), 0.25, np.float32), None),
        )
        for case, arrays in enumerate(cases):
            slopes = jax.tree.leaves(separation_slopes(*arrays))
            assert max(np.abs(slope).max() for slope in slopes) <= 2e-6, (seed, case)


@pytest.mark.parametrize("scale", [1e-30, 1e-22, 1.0, 1e18])
def test_tiny_and_huge_vectors_have_their_true_cosine_in_float32(scale):
    rng = np.random.default_rng(0)
    v, a = rng.normal(size=(2, 6, 50))
    cosine = (v * a).sum(axis=1) / np.linalg.norm(v, axis=1) / np.linalg.norm(a, axis=1)
    loss = velocity_consistency_loss(
        jnp.zeros((6, 50), jnp.float32),
        jnp.asarray(scale * v, jnp.float32),
        jnp.asarray(scale * a, jnp.float32),
        magnitude_weight=0.0,
        reduce=False,
    )
    np.testing.assert_allclose(loss, 1 - cosine, rtol=1e-5)
    gradient = jax.grad(velocity_consistency_loss, argnums=1)(
        jnp.zeros((6, 50), jnp.float32),
        jnp.asarray(scale * v, jnp.float32),
        jnp.asarray(scale * a, jnp.float32),
        magnitude_weight=0.0,
    )
    unit = v / np.linalg.norm(v, axis=1, keepdims=True)
    expected = -(a / np.linalg.norm(a, axis=1, keepdims=True) - cosine[:, None] * unit)
    expected /= 6 * scale * np.linalg.norm(v, axis=1, keepdims=True)
    np.testing.assert_allclose(np.asarray(gradient) * scale, expected * scale, rtol=1e-3, atol=1e-6)
