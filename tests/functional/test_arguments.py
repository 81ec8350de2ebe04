"""What is accepted means what it says: integers of every width, and arrays that hold numbers."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.sharding import Mesh

from diffbio import losses
from diffbio.functional import (
    LossWeights,
    batch_mixing_loss,
    combined_loss,
    velocity_transition_loss,
)
from diffbio.neighbors import nearest_neighbors
from diffbio.sharding import sharded

pytestmark = pytest.mark.usefixtures("compiled_quickly")

N_CELLS, N_LISTED = 300, 4
rng = np.random.default_rng(0)
POINTS = jnp.asarray(rng.normal(size=(N_CELLS, 3)), jnp.float32)
INDICES = (np.arange(N_CELLS)[:, None] + np.arange(1, 1 + N_LISTED)) % N_CELLS
WIDE = 2**32


def mixing(labels, n_batches, indices):
    return batch_mixing_loss(
        POINTS[: len(labels)],
        labels,
        n_batches=n_batches,
        neighbor_indices=indices,
        temperature=10.0,
    )


def run(kind, labels, n_batches, indices):
    """The loss of concrete labels and indices, as NumPy's or JAX's, or of traced ones."""
    if kind == "traced":
        return jax.jit(lambda a, b: mixing(a, n_batches, b))(labels, indices)
    return mixing(kind(labels), n_batches, kind(indices))


KINDS = pytest.mark.parametrize(
    "kind", [np.asarray, jnp.asarray, "traced"], ids=["numpy", "jax", "traced"]
)
NARROW = [("int8", 128), ("uint8", 256), ("int16", 40000), ("uint32", 128)]


@KINDS
@pytest.mark.parametrize(("dtype", "n_batches"), NARROW)
def test_labels_mean_the_same_in_every_integer_dtype(dtype, n_batches, kind):
    labels, indices = 127 - np.arange(20), INDICES[:20] % 20
    expected = float(mixing(labels, n_batches, indices))
    assert expected < -0.5
    found = run(kind, labels.astype(dtype), n_batches, indices)
    assert float(found) == pytest.approx(expected, rel=1e-6)


@KINDS
@pytest.mark.parametrize("dtype", ["int8", "uint8", "int16", "uint16", "uint32", "uint64"])
def test_indices_mean_the_same_in_every_integer_dtype(dtype, kind):
    labels = np.arange(N_CELLS) % 3
    indices = INDICES % 100 + 1
    expected = float(mixing(labels, 3, indices))
    found = run(kind, labels, 3, indices.astype(dtype))
    assert float(found) == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize("x64", [False, True])
def test_wide_integers_never_wrap_around(x64):
    labels = np.arange(N_CELLS) % 3
    with jax.enable_x64(x64):
        for wide in (labels + WIDE * (labels == 1), labels - WIDE * (labels == 1)):
            with pytest.raises(ValueError, match="batch_labels must lie in"):
                mixing(wide, 3, INDICES)
        with pytest.raises(ValueError, match=f"neighbor_indices.*got {WIDE + 5}"):
            mixing(labels, 3, np.where(INDICES == 5, WIDE + 5, INDICES))
        padded = mixing(labels, 3, np.where(INDICES == 5, -1, INDICES))
        assert mixing(labels, 3, np.where(INDICES == 5, 5 - WIDE, INDICES)) == padded


def test_wide_integers_that_are_traced_count_for_nothing():
    labels = np.arange(N_CELLS) % 3
    labels_of_none, padding = np.where(labels == 1, 7, labels), np.where(INDICES == 5, -1, INDICES)
    expected = run("traced", labels_of_none, 3, padding)
    for shift in (WIDE, -WIDE):
        wide = np.where(labels == 1, labels + shift, labels)
        found = run("traced", wide, 3, np.where(INDICES == 5, INDICES + shift, INDICES))
        assert float(found) == pytest.approx(float(expected), rel=1e-6)


SMALL = POINTS[:20].astype(float)
SMALL_LABELS = jnp.arange(20) % 3


@pytest.mark.parametrize(
    "three", [jnp.asarray(3), np.asarray(3), np.int8(3), SMALL_LABELS.max() + 1]
)
def test_an_array_that_holds_one_integer_is_that_integer(three):
    call = {"n_batches": three, "n_neighbors": three, "block_size": three}
    expected = batch_mixing_loss(SMALL, SMALL_LABELS, n_batches=3, n_neighbors=3, block_size=3)
    assert batch_mixing_loss(SMALL, SMALL_LABELS, **call) == expected
    assert losses.BatchMixingLoss(**call)(SMALL, SMALL_LABELS) == expected
    found = nearest_neighbors(SMALL, three, block_size=three)
    assert np.array_equal(found.indices, nearest_neighbors(SMALL, 3).indices)


def test_three_numbers_are_the_weights_of_the_terms():
    assignments = jnp.asarray(rng.dirichlet(np.ones(4), 20))
    expected = combined_loss(SMALL, SMALL_LABELS, assignments, weights=LossWeights(1.0, 2.0, 3.0))
    for weights in ((1.0, 2.0, 3.0), [1, 2, 3], tuple(np.float64([1, 2, 3]))):
        found = combined_loss(SMALL, SMALL_LABELS, assignments, weights=weights)
        assert found.total == expected.total


@pytest.mark.slow
@pytest.mark.parametrize("weight", [np.float64(0.5), jnp.float64(0.5), 0.5])
def test_the_type_of_a_weight_does_not_widen_the_loss(weight):
    x, v, f = jnp.asarray(rng.normal(size=(3, 40, 5)), jnp.float32)
    loss = losses.VelocityConsistencyLoss(transition_weight=weight, n_neighbors=7)
    assert loss(x, v, f).dtype == jnp.float32
    assignments = jnp.asarray(rng.dirichlet(np.ones(4), 40), jnp.float32)
    parts = combined_loss(x, jnp.arange(40) % 3, assignments, weights=(weight, weight, weight))
    assert parts.total.dtype == jnp.float32


def test_a_traced_transition_weight_multiplies_the_transition():
    x, v, f = jnp.asarray(rng.normal(size=(3, 40, 5)))

    @jax.jit
    def loss(weight):
        return losses.VelocityConsistencyLoss(transition_weight=weight, n_neighbors=7)(x, v, f)

    expected = velocity_transition_loss(x, v, n_neighbors=7)
    assert float(jax.grad(loss)(0.5)) == pytest.approx(float(expected), rel=1e-13)
    assert float(loss(0.0)) == pytest.approx(
        float(losses.VelocityConsistencyLoss()(x, v, f)), rel=1e-14
    )


ONE_DEVICE = Mesh(np.array(jax.devices()[:1]), ("cells",))


def test_wide_integers_of_a_sharded_loss_are_those_of_one_device_or_refused_by_name():
    labels = np.arange(N_CELLS) % 3
    over_all = sharded(batch_mixing_loss, ONE_DEVICE)
    with jax.enable_x64(False):
        with pytest.raises(ValueError, match=r"neighbor_indices must lie in .* int32"):
            over_all(POINTS, labels, neighbor_indices=np.where(INDICES == 5, 5 - WIDE, INDICES))
        with pytest.raises(ValueError, match="batch_labels must lie in"):
            over_all(POINTS, labels + WIDE * (labels == 1))
        found = over_all(POINTS, labels.astype("u8"), neighbor_indices=INDICES.astype(">i8"))
        assert found == batch_mixing_loss(POINTS, labels, neighbor_indices=INDICES)


@pytest.mark.parametrize("kind", [int, np.int64, np.uint64, np.asarray])
def test_a_wide_integer_given_for_a_number_is_that_number(kind):
    labels = np.arange(N_CELLS) % 3
    with jax.enable_x64(False):
        expected = batch_mixing_loss(1e5 * POINTS, labels, temperature=float(WIDE))
        for loss in (batch_mixing_loss, sharded(batch_mixing_loss, ONE_DEVICE)):
            assert loss(1e5 * POINTS, labels, temperature=kind(WIDE)) == expected
    assert expected < -0.1


def test_a_wide_integer_in_an_array_of_a_module_is_refused_by_name():
    with jax.enable_x64(False), pytest.raises(ValueError, match=r"temperature must lie in .*int32"):
        losses.BatchMixingLoss(temperature=np.asarray(WIDE))
