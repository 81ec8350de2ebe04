"""Laws that hold for all inputs, over random ones."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.catalog.cases import CATALOG
from benchmarks.measure.sweep.accuracy import relative_error
from diffbio.functional import (
    Local,
    batch_mixing_loss,
    clustering_compactness_loss,
    shannon_diversity,
    simpson_diversity,
    velocity_consistency_loss,
)
from tests.inputs import N_BATCHES, N_CELLS, N_CLUSTERS, draw, every_case, value_and_gradients

pytestmark = pytest.mark.usefixtures("compiled_quickly")

CASES = every_case()
SEEDS = st.integers(0, 10_000)
POINTS = ("embeddings", "expression", "future_expression")


def close(found, expected, tolerance=1e-10):
    return relative_error(found, expected) <= tolerance


@CASES
@given(seed=SEEDS)
def test_permuting_cells_permutes_the_gradient(case, seed):
    arrays = draw(case, "random", N_CELLS, seed)
    order = np.random.default_rng(seed).permutation(N_CELLS)
    permuted = {name: array[order] for name, array in arrays.items()}
    if "neighbor_indices" in arrays:
        listed = arrays["neighbor_indices"][order]
        permuted["neighbor_indices"] = jnp.where(listed < 0, -1, np.argsort(order)[listed])
    value, gradients = value_and_gradients(case, arrays)
    permuted_value, permuted_gradients = value_and_gradients(case, permuted)
    assert close(permuted_value, value)
    for name in gradients:
        assert close(permuted_gradients[name], gradients[name][order]), name


@CASES
@given(seed=SEEDS)
def test_where_equals_removing_the_cells(case, seed):
    arrays = draw(case, "masked", N_CELLS, seed)
    n_kept = 36  # always as many, so that the subset has one shape to compile
    keep = np.random.default_rng(seed).permutation(N_CELLS) < n_kept
    arrays["where"] = jnp.asarray(keep)
    kept = {name: array[keep] for name, array in arrays.items() if name != "where"}
    if "neighbor_indices" in arrays:
        renamed = np.where(keep, np.cumsum(keep) - 1, -1)
        listed = np.asarray(kept["neighbor_indices"])
        kept["neighbor_indices"] = jnp.asarray(np.where(listed < 0, -1, renamed[listed]))
    value, gradients = value_and_gradients(case, arrays)
    kept_value, kept_gradients = value_and_gradients(case, kept)
    assert close(value, kept_value)
    for name in gradients:
        assert close(gradients[name][keep], kept_gradients[name]), name
        assert np.all(np.asarray(gradients[name])[~keep] == 0)


@every_case(cases=[c for c in CATALOG if set(POINTS) & set(c.differentiable)])
@given(seed=SEEDS)
def test_translation_changes_nothing_so_the_gradients_sum_to_zero(case, seed):
    arrays = draw(case, "random", N_CELLS, seed)
    moved = {name: a + 3.0 if name in POINTS else a for name, a in arrays.items()}
    value, gradients = value_and_gradients(case, arrays)
    assert close(value_and_gradients(case, moved)[0], value)
    total = sum(np.asarray(gradients[name]).sum(axis=0) for name in gradients if name in POINTS)
    largest = max(np.abs(gradients[name]).sum() for name in gradients)
    assert np.abs(total).max() <= 1e-12 * largest


@every_case(cases=[c for c in CATALOG if set(POINTS) & set(c.differentiable)])
@given(seed=SEEDS)
def test_rotation_changes_nothing_and_turns_the_gradient(case, seed):
    arrays = draw(case, "random", N_CELLS, seed)
    rng = np.random.default_rng(seed)
    rotation, _ = np.linalg.qr(rng.normal(size=(5, 5)))
    turned = {
        name: a @ rotation if name in (*POINTS, "velocity", "features", "reconstructed") else a
        for name, a in arrays.items()
    }
    value, gradients = value_and_gradients(case, arrays)
    turned_value, turned_gradients = value_and_gradients(case, turned)
    assert close(turned_value, value)
    for name in gradients:
        expected = gradients[name] if name == "assignments" else gradients[name] @ rotation
        assert close(turned_gradients[name], expected), name


@every_case(cases=[c for c in CATALOG if "batch_labels" in c.make_inputs(64)])
@given(renaming=st.permutations(range(N_BATCHES)), seed=SEEDS)
def test_renaming_batches_changes_nothing(case, renaming, seed):
    arrays = draw(case, "random", N_CELLS, seed)
    renamed = {**arrays, "batch_labels": jnp.asarray(renaming)[arrays["batch_labels"]]}
    assert close(value_and_gradients(case, renamed)[0], value_and_gradients(case, arrays)[0])


@every_case(cases=[c for c in CATALOG if "assignments" in c.differentiable])
@given(renaming=st.permutations(range(N_CLUSTERS)), seed=SEEDS)
def test_renaming_clusters_changes_nothing(case, renaming, seed):
    arrays = draw(case, "random", N_CELLS, seed)
    renamed = {**arrays, "assignments": arrays["assignments"][:, jnp.asarray(renaming)]}
    assert close(value_and_gradients(case, renamed)[0], value_and_gradients(case, arrays)[0])


@given(seed=SEEDS, scale=st.floats(1e-6, 1e6))
def test_the_local_temperature_does_not_see_the_scale(seed, scale):
    x = jnp.asarray(np.random.default_rng(seed).normal(size=(N_CELLS, 4)))
    labels = jnp.arange(N_CELLS) % 3
    assert close(
        batch_mixing_loss(scale * x, labels, temperature=Local()),
        batch_mixing_loss(x, labels, temperature=Local()),
    )


@given(seed=SEEDS, scale=st.floats(1e-6, 1e6))
def test_the_cosine_does_not_see_the_velocity_s_length(seed, scale):
    rng = np.random.default_rng(seed)
    x, v, f = jnp.asarray(rng.normal(size=(3, 20, 6)))
    cosine = velocity_consistency_loss(x, v, f, magnitude_weight=0.0)
    assert close(velocity_consistency_loss(x, scale * v, f, magnitude_weight=0.0), cosine)


@given(seed=SEEDS, n_batches=st.sampled_from([3, 8]))
def test_bounds(seed, n_batches):
    rng = np.random.default_rng(seed)
    x, labels = (
        jnp.asarray(rng.normal(size=(N_CELLS, 3))),
        jnp.asarray(rng.integers(3, size=N_CELLS)),
    )
    assignments = jnp.asarray(rng.dirichlet(np.full(5, 0.2), N_CELLS))
    for temperature in (1.0, Local()):
        options = {"n_batches": n_batches, "temperature": temperature}
        assert -np.log(n_batches) <= batch_mixing_loss(x, labels, **options) <= 0
        normal = batch_mixing_loss(x, labels, normalize=True, **options)
        assert -1 <= normal <= 0
    assert clustering_compactness_loss(x, assignments) >= 0
    for over in ("cells", "clusters"):
        assert 0 <= shannon_diversity(assignments, over=over) <= np.log(5) + 1e-12
        assert 1 / 5 - 1e-12 <= simpson_diversity(assignments, over=over) <= 1 + 1e-12


@pytest.mark.slow
@given(seed=SEEDS, block_size=st.sampled_from([1, 7, 16, 47, 48, 49, 1000]))
def test_the_block_size_changes_nothing(seed, block_size):
    rng = np.random.default_rng(seed)
    x, labels = (
        jnp.asarray(rng.normal(size=(N_CELLS, 3))),
        jnp.asarray(rng.integers(3, size=N_CELLS)),
    )
    expected = batch_mixing_loss(x, labels)
    assert close(batch_mixing_loss(x, labels, block_size=block_size), expected, 1e-14)


@pytest.mark.slow
def test_per_cell_losses_average_to_the_loss():
    for name in ("batch_mixing", "batch_mixing_local", "velocity", "shannon", "simpson"):
        case = next(c for c in CATALOG if c.name == name)
        for kind in ("random", "masked"):
            arrays = draw(case, kind, N_CELLS)
            per_cell = case.loss(**arrays, reduce=False)
            counted = arrays.get("where", jnp.ones(N_CELLS, bool))
            assert per_cell.shape == (N_CELLS,)
            assert np.all(np.asarray(per_cell)[~np.asarray(counted)] == 0)
            assert close(per_cell.sum() / counted.sum(), case.loss(**arrays), 1e-14)


@pytest.mark.slow
def test_descent_on_the_loss_mixes_batches_and_on_its_negative_separates_them():
    rng = np.random.default_rng(0)
    labels = jnp.asarray(rng.integers(3, size=120))
    start = jnp.asarray(rng.normal(size=(120, 2))) + 0.8 * jnp.eye(3)[:, :2][labels]

    def descend(sign):
        x = start
        for _ in range(60):
            x = x - 2.0 * sign * jax.grad(batch_mixing_loss)(x, labels)
        return batch_mixing_loss(x, labels)

    at_start = batch_mixing_loss(start, labels)
    assert descend(+1) < at_start - 0.01
    assert descend(-1) > at_start + 0.01
