"""Arrays that a transformed function closes over are concrete: they work and stay checked."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from diffbio import functional as F
from diffbio import losses
from diffbio.neighbors import nearest_neighbors

pytestmark = pytest.mark.usefixtures("compiled_quickly")

N_CELLS, N_BATCHES, N_CLUSTERS, DIM, N_LISTED = 12, 3, 4, 5, 3

rng = np.random.default_rng(0)
POINTS, VELOCITY, FUTURE = rng.normal(size=(3, N_CELLS, DIM))
ASSIGNMENTS = rng.dirichlet(np.ones(N_CLUSTERS), N_CELLS)
CENTROIDS = rng.normal(size=(N_CLUSTERS, DIM))
LABELS = np.arange(N_CELLS) % N_BATCHES
INDICES = (np.arange(N_CELLS)[:, None] + np.arange(1, 1 + N_LISTED)) % N_CELLS
WHERE = np.arange(N_CELLS) != 4

# Of each loss the first array is the argument of the transformed function.
LOSSES = {
    "batch mixing": (
        F.batch_mixing_loss,
        {"embeddings": POINTS, "batch_labels": LABELS, "neighbor_indices": INDICES},
    ),
    "compactness": (
        F.clustering_compactness_loss,
        {"embeddings": POINTS, "assignments": ASSIGNMENTS, "centroids": CENTROIDS},
    ),
    "velocity": (
        F.velocity_consistency_loss,
        {"expression": POINTS, "velocity": VELOCITY, "future_expression": FUTURE},
    ),
    "transition": (
        F.velocity_transition_loss,
        {"expression": POINTS, "velocity": VELOCITY, "neighbor_indices": INDICES},
    ),
    "Shannon": (F.shannon_diversity, {"assignments": ASSIGNMENTS}),
    "Simpson": (F.simpson_diversity, {"assignments": ASSIGNMENTS}),
    "combined": (
        lambda **arrays: F.combined_loss(**arrays).total,
        {
            "embeddings": POINTS,
            "batch_labels": LABELS,
            "assignments": ASSIGNMENTS,
            "neighbor_indices": INDICES,
            "features": POINTS,
            "reconstructed": FUTURE,
        },
    ),
    "batch mixing module": (
        losses.BatchMixingLoss(),
        {"embeddings": POINTS, "batch_labels": LABELS, "neighbor_indices": INDICES},
    ),
    "velocity module": (
        losses.VelocityConsistencyLoss(transition_weight=1.0),
        {
            "expression": POINTS,
            "velocity": VELOCITY,
            "future_expression": FUTURE,
            "neighbor_indices": INDICES,
        },
    ),
}

# Each traces the loss at x, where an array that is not concrete would fail. Nothing compiles.
TRANSFORMS = {
    "jit": lambda f, x: jax.jit(f).trace(x),
    "nnx.jit": lambda f, x: nnx.jit(f).eval_shape(x),
    "ahead of time": lambda f, x: jax.jit(f).lower(x),
    "grad": lambda f, x: jax.eval_shape(jax.grad(f), x),
    "remat": lambda f, x: jax.eval_shape(jax.grad(jax.checkpoint(f)), x),
    "vmap": lambda f, x: jax.eval_shape(jax.vmap(f), x[None]),
    "map": lambda f, x: jax.eval_shape(lambda x: jax.lax.map(f, x), x[None]),
    "scan": lambda f, x: jax.eval_shape(
        lambda x: jax.lax.scan(lambda total, one: (total + f(one), None), 0.0, x), x[None]
    ),
}


def closed_over(name, kind):
    """The loss as a function of its first array, the others held as JAX's or NumPy's."""
    loss, arrays = LOSSES[name]
    x, *_ = arrays.values()
    argument, *others = arrays
    held = {other: kind(arrays[other]) for other in others} | {"where": kind(WHERE)}
    return lambda x: loss(**{argument: x}, **held), jnp.asarray(x)


@pytest.mark.parametrize("kind", [jnp.asarray, np.asarray], ids=["jax", "numpy"])
@pytest.mark.parametrize("name", LOSSES)
def test_closing_over_arrays_changes_nothing(name, kind):
    loss, x = closed_over(name, kind)
    assert float(jax.jit(loss)(x)) == pytest.approx(float(loss(x)), rel=1e-13)
    for trace in TRANSFORMS.values():
        trace(loss, x)


@pytest.mark.parametrize("kind", [jnp.asarray, np.asarray], ids=["jax", "numpy"])
def test_every_array_may_be_closed_over_at_once(kind):
    for loss, arrays in LOSSES.values():
        held = {name: kind(array) for name, array in arrays.items()}
        shape = jax.eval_shape(lambda scale, held=held, loss=loss: scale * loss(**held), 1.0)
        assert shape.shape == ()


WRONG = {
    "a label too large": (
        {"batch_labels": np.where(LABELS == 0, 3, LABELS)},
        r"batch_labels.*from 1 to 3",
    ),
    "a label below 0": ({"batch_labels": LABELS - 1}, r"batch_labels.*from -1 to 1"),
    "a batch that is not expected": (
        {"proportions": np.array([0.5, 0.0, 0.5])},
        "proportions must be above 0.*batch 1",
    ),
    "proportions that sum to 2": ({"proportions": np.ones(3) * 2 / 3}, "proportions.*sum to 1"),
    "an index too large": ({"neighbor_indices": INDICES + 1}, "neighbor_indices.*got 12"),
}


@pytest.mark.parametrize("kind", [jnp.asarray, np.asarray], ids=["jax", "numpy"])
@pytest.mark.parametrize("wrong", WRONG)
def test_what_is_concrete_stays_checked_under_every_transform(wrong, kind):
    changed, message = WRONG[wrong]
    arrays = {"batch_labels": LABELS, "neighbor_indices": INDICES} | changed
    held = {name: kind(array) for name, array in arrays.items()}
    everyone = kind(np.ones(N_CELLS, bool))
    for trace in TRANSFORMS.values():
        for where in (None, everyone):
            with pytest.raises(ValueError, match=message):
                trace(
                    lambda x, where=where: F.batch_mixing_loss(x, **held, where=where),
                    jnp.asarray(POINTS),
                )


def test_a_record_of_neighbors_stands_for_its_indices():
    x, labels = jnp.asarray(POINTS), jnp.asarray(LABELS)
    found = nearest_neighbors(x, N_LISTED)
    expected = F.batch_mixing_loss(x, labels, neighbor_indices=found.indices)
    assert F.batch_mixing_loss(x, labels, neighbor_indices=found) == expected
    assert losses.BatchMixingLoss()(x, labels, neighbor_indices=found) == expected
    as_argument = jax.jit(lambda x, found: F.batch_mixing_loss(x, labels, neighbor_indices=found))
    assert float(as_argument(x, found)) == pytest.approx(float(expected), rel=1e-14)
