"""Arguments beyond the defaults, over shards and on one device."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from benchmarks.measure.sweep.accuracy import relative_error
from diffbio import losses
from diffbio.functional import (
    STRONG_BATCH_EFFECTS,
    Local,
    Perplexity,
    batch_mixing_loss,
    clustering_compactness_loss,
    combined_loss,
    shannon_diversity,
    simpson_diversity,
    velocity_consistency_loss,
    velocity_transition_loss,
)
from diffbio.neighbors import nearest_neighbors
from diffbio.sharding import sharded
from tests.inputs import neighbor_lists
from tests.sharding.losses import mesh_of
from tests.tiers import tiered

pytestmark = pytest.mark.usefixtures("small_parts", "compiled_quickly")

N = 59
RNG = np.random.default_rng(0)
X, V, F = RNG.normal(size=(3, N, 5))
LABELS = RNG.integers(3, size=N)
A = RNG.dirichlet(np.ones(4), N)
CENTROIDS = RNG.normal(size=(4, 5))
LISTED = neighbor_lists(RNG, N, 6)
WHERE = RNG.random(N) < 0.7

mixing = partial(batch_mixing_loss, n_neighbors=7)

CALLS = {
    "mixing of cells": (mixing, (X, LABELS), {"reduce": False, "where": WHERE}),
    "mixing with proportions": (
        mixing,
        (X, LABELS),
        {"proportions": (0.2, 0.3, 0.5), "normalize": True, "reduce": False},
    ),
    "mixing with an array of proportions": (
        mixing,
        (X, LABELS),
        {"proportions": np.array([0.2, 0.3, 0.5]), "temperature": 2, "block_size": 5},
    ),
    "Simpson's index": (
        mixing,
        (X, LABELS),
        {"index": "simpson", "normalize": True, "temperature": Local(), "reduce": False},
    ),
    "mixing of lists": (batch_mixing_loss, (X, LABELS), {"neighbor_indices": LISTED}),
    "mixing of a search": (
        batch_mixing_loss,
        (X, LABELS),
        {"neighbor_indices": nearest_neighbors(jnp.asarray(X), 9), "temperature": Perplexity()},
    ),
    "compactness": (
        clustering_compactness_loss,
        (X, A),
        {"separation_weight": 2.0, "min_separation": 5, "where": WHERE},
    ),
    "compactness about centroids": (clustering_compactness_loss, (X, A, CENTROIDS), {}),
    "velocity of cells": (
        velocity_consistency_loss,
        (X, V, F),
        {"reduce": False, "dt": np.float64(0.3), "where": WHERE},
    ),
    "transitions of lists": (
        velocity_transition_loss,
        (X, V),
        {"neighbor_indices": LISTED, "temperature": 0.5, "where": WHERE},
    ),
    "Shannon of cells": (shannon_diversity, (A,), {"reduce": False}),
    "Shannon of clusters": (shannon_diversity, (A,), {"over": "clusters", "where": WHERE}),
    "Simpson of cells": (simpson_diversity, (A,), {"reduce": False, "where": WHERE}),
    "Simpson of clusters": (simpson_diversity, (A,), {"over": "clusters"}),
    "combined": (
        combined_loss,
        (X, LABELS, A),
        {
            "features": V,
            "reconstructed": F,
            "weights": STRONG_BATCH_EFFECTS,
            "centroids": CENTROIDS,
            "neighbor_indices": LISTED,
            "where": WHERE,
        },
    ),
    "module of mixing": (losses.BatchMixingLoss(5, 3, 2.0), (X, LABELS), {"where": WHERE}),
    "module of compactness": (losses.ClusteringCompactnessLoss(), (X, A, CENTROIDS), {}),
    "module of velocity": (
        losses.VelocityConsistencyLoss(transition_weight=0.5, n_neighbors=6),
        (X, V, F),
        {"where": WHERE},
    ),
    "module of Shannon": (losses.ShannonDiversityLoss(), (A,), {"over": "clusters"}),
    "module of Simpson": (losses.SimpsonDiversityLoss(), (A,), {"where": WHERE}),
}

# The losses without neighbours compile in no time.
QUICK = [name for name in CALLS if name.split(" ")[0] in ("compactness", "velocity", "Shannon")]
QUICK += ["Simpson of clusters", "module of compactness", "module of Shannon"]


def called(names):
    return pytest.mark.parametrize("name", tiered(names, quick=QUICK))


@called(CALLS)
def test_results_are_those_of_one_device(name):
    loss, arguments, options = CALLS[name]
    found = jax.tree.leaves(sharded(loss, mesh_of(4))(*arguments, **options))
    expected = jax.tree.leaves(loss(*arguments, **options))
    for one, other in zip(found, expected, strict=True):
        assert one.shape == other.shape
        assert relative_error(one, other) <= 1e-12


@called(
    ["compactness about centroids", "mixing of cells", "module of velocity", "velocity of cells"]
)
def test_gradients_are_those_of_one_device(name):
    """By all floating arguments, arrays of all cells and others, and through losses of cells."""
    loss, arguments, options = CALLS[name]
    floating = [i for i, array in enumerate(arguments) if array.dtype == np.float64]
    weights = jnp.asarray(RNG.normal(size=N))

    def gradients(loss):
        def weighted(*arguments):
            result = loss(*arguments, **options)
            return jnp.vdot(weights, result) if result.ndim else result

        return jax.grad(weighted, argnums=floating)(*map(jnp.asarray, arguments))

    pairs = zip(gradients(sharded(loss, mesh_of(4))), gradients(loss), strict=True)
    for found, expected in pairs:
        assert relative_error(found, expected) <= 1e-11


@pytest.mark.slow
def test_scalars_have_gradients():
    def loss(mixing, temperature):
        return mixing(X, LABELS, temperature=temperature, neighbor_indices=LISTED)

    found = jax.grad(partial(loss, sharded(batch_mixing_loss, mesh_of(4))))(0.7)
    expected = jax.grad(partial(loss, batch_mixing_loss))(0.7)
    assert float(found) == pytest.approx(float(expected), rel=1e-11)


@pytest.mark.slow
def test_nan_is_not_hidden():
    x = jnp.asarray(X).at[40, 2].set(jnp.nan)
    for temperature in (1.0, Local()):
        loss = sharded(partial(mixing, temperature=temperature), mesh_of(4))
        assert np.isnan(loss(x, LABELS))
    assert np.isnan(sharded(clustering_compactness_loss, mesh_of(4))(x, A))
    assert np.isnan(sharded(shannon_diversity, mesh_of(4))(jnp.asarray(A).at[50].set(jnp.nan)))
