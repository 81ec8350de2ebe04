"""Where a loss is not smooth: the documented subgradient, and always finite."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from diffbio.functional import (
    Local,
    batch_mixing_loss,
    clustering_compactness_loss,
    shannon_diversity,
    velocity_consistency_loss,
    velocity_transition_loss,
)
from tests.inputs import N_CELLS, draw, every_case, split, value_and_gradients

pytestmark = pytest.mark.usefixtures("compiled_quickly")

CASES = every_case()


def finite(tree):
    return all(np.isfinite(leaf).all() for leaf in jax.tree.leaves(tree))


def test_a_batch_without_weight_has_no_gradient():
    x = jnp.asarray(np.random.default_rng(0).normal(size=(20, 3)))
    labels = jnp.zeros(20, int)
    value, gradient = jax.value_and_grad(batch_mixing_loss)(x, labels, n_neighbors=4)
    assert float(value) == 0
    assert np.all(np.asarray(gradient) == 0)


@pytest.mark.parametrize("temperature", [1.0, Local()], ids=str)
def test_identical_cells_have_uniform_weights_and_no_gradient(temperature):
    labels = jnp.arange(20) % 2
    value, gradient = jax.value_and_grad(batch_mixing_loss)(
        jnp.ones((20, 3)), labels, n_batches=2, n_neighbors=19, temperature=temperature
    )
    shares = np.array([9, 10]) / 19
    assert float(value) == pytest.approx((shares * np.log(shares)).sum(), rel=1e-12)
    assert np.all(np.asarray(gradient) == 0)


def test_coincident_centroids_cost_the_margin_without_a_gradient():
    x = jnp.asarray([[0.0, 0], [0, 0], [0, 0], [0, 0]])
    a = jnp.asarray([[1.0, 0], [1, 0], [0, 1], [0, 1]])
    value, gradient = jax.value_and_grad(clustering_compactness_loss)(x, a, min_separation=2.0)
    assert float(value) == 2.0
    assert np.all(np.asarray(gradient) == 0)


def test_at_the_hinge_the_gradient_is_zero():
    c = jnp.asarray([[0.0, 0], [2, 0]])
    a = jnp.eye(2)
    gradient = jax.grad(
        lambda c: clustering_compactness_loss(
            jnp.asarray([[0.0, 0], [2, 0]]), a, c, min_separation=2.0
        )
    )(c)
    assert np.all(np.asarray(gradient) == 0)


def test_an_empty_cluster_changes_nothing():
    rng = np.random.default_rng(0)
    x, a = jnp.asarray(rng.normal(size=(10, 2))), jnp.asarray(rng.dirichlet(np.ones(3), 10))
    padded = jnp.concatenate([a, jnp.zeros((10, 1))], axis=1)
    alone = jax.value_and_grad(clustering_compactness_loss, argnums=(0, 1))(x, a)
    value, (by_x, by_a) = jax.value_and_grad(clustering_compactness_loss, argnums=(0, 1))(x, padded)
    assert float(value) == pytest.approx(float(alone[0]), rel=1e-14)
    np.testing.assert_allclose(by_x, alone[1][0], rtol=1e-12)
    np.testing.assert_allclose(by_a[:, :3], alone[1][1], rtol=1e-12)
    assert np.all(np.asarray(by_a[:, 3]) == 0)


def test_fewer_than_two_live_clusters_have_no_separation():
    x = jnp.asarray(np.random.default_rng(0).normal(size=(10, 2)))
    spread = float(jnp.mean(jnp.sum((x - x.mean(axis=0)) ** 2, axis=1)))
    for a in (jnp.ones((10, 1)), jnp.ones((10, 1)) * jnp.asarray([[1.0, 0.0]])):
        assert float(clustering_compactness_loss(x, a)) == pytest.approx(spread, rel=1e-14)


def test_zero_vectors_have_cosine_zero_and_no_gradient():
    x = jnp.zeros((3, 2))
    v = jnp.asarray([[0.0, 0], [1, 1], [0, 0]])
    f = jnp.asarray([[1.0, 0], [0, 0], [0, 0]])
    per_cell = velocity_consistency_loss(x, v, f, dt=1.0, reduce=False)
    np.testing.assert_allclose(per_cell, [1 + 1, 1 + 2, 1], rtol=1e-14)
    by_v = jax.grad(velocity_consistency_loss, argnums=1)(x, v, f, dt=1.0)
    assert np.all(np.asarray(by_v)[[0, 2]] == 0)
    by_f = jax.grad(velocity_consistency_loss, argnums=2)(x, v, f, dt=1.0)
    assert np.all(np.asarray(by_f)[[1, 2]] == 0)


def test_transition_at_zero_velocity_and_duplicates_is_finite():
    x = jnp.zeros((6, 3)).at[3:].set(1.0)
    for v in (jnp.zeros((6, 3)), jnp.ones((6, 3))):
        value, gradients = jax.value_and_grad(velocity_transition_loss, argnums=(0, 1))(
            x, v, n_neighbors=3
        )
        assert np.isfinite(value)
        assert finite(gradients)


def test_entropy_has_no_gradient_at_zero_probability():
    p = jnp.asarray([[0.0, 1.0], [0.5, 0.5]])
    for over in ("cells", "clusters"):
        value, gradient = jax.value_and_grad(lambda p, over=over: shannon_diversity(p, over=over))(
            p
        )
        assert np.isfinite(value)
        assert finite(gradient)
    assert float(jax.grad(shannon_diversity)(p)[0, 0]) == 0


@CASES
def test_all_masked_gives_zero_and_zero_gradient(case):
    arrays = draw(case, "random", N_CELLS)
    arrays["where"] = jnp.zeros(N_CELLS, bool)
    value, gradients = value_and_gradients(case, arrays)
    assert float(value) == 0
    assert all(np.all(np.asarray(g) == 0) for g in gradients.values())


@CASES
@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_nan_and_infinity_are_never_hidden(case, bad):
    arrays = draw(case, "random", N_CELLS)
    for name in case.differentiable:
        spoiled = {**arrays, name: arrays[name].at[7, 1].set(bad)}
        assert not np.isfinite(value_and_gradients(case, spoiled)[0]), name


@CASES
def test_what_a_masked_cell_holds_does_not_matter(case):
    arrays = draw(case, "masked", N_CELLS)
    masked = int(np.flatnonzero(~np.asarray(arrays["where"]))[0])
    differentiated, constant = split(case, arrays)
    expected = value_and_gradients(case, arrays)
    spoiled = {name: a.at[masked].set(jnp.nan) for name, a in differentiated.items()}
    if "batch_labels" in constant:
        constant = {**constant, "batch_labels": constant["batch_labels"].at[masked].set(-1)}
    found = value_and_gradients(case, {**spoiled, **constant})
    assert float(found[0]) == pytest.approx(float(expected[0]), rel=1e-13)
    for name in differentiated:
        np.testing.assert_allclose(found[1][name], expected[1][name], rtol=1e-9, atol=1e-14)
        assert np.all(np.asarray(found[1][name])[masked] == 0)
