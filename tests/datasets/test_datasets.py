"""The data: seeded, of known truth, and as adjustable as they say."""

import jax.numpy as jnp
import numpy as np
import pytest

from diffbio.datasets import pbmc700, simulate_clusters, simulate_velocity
from diffbio.functional import Local, batch_mixing_loss, velocity_consistency_loss

pytestmark = pytest.mark.usefixtures("compiled_quickly")

SIMULATORS = pytest.mark.parametrize("simulate", [simulate_clusters, simulate_velocity])


@SIMULATORS
def test_the_seed_decides_every_bit(simulate):
    assert simulate(60, seed=1).digest == simulate(60, seed=1).digest
    assert simulate(60, seed=1).digest != simulate(60, seed=2).digest


def test_the_digest_sees_every_array():
    cells = simulate_clusters(60)
    before = cells.digest
    for array in cells.arrays().values():
        at = (3,) * array.ndim
        kept = array[at]
        array[at] = kept + 1
        assert cells.digest != before
        array[at] = kept
    assert cells.digest == before


def test_clusters_are_found_again_in_the_embedding():
    cells = simulate_clusters(600, n_clusters=6)
    assert cells.embeddings.shape == (600, 50)
    np.testing.assert_allclose(cells.assignments.sum(axis=1), 1, rtol=1e-5)
    assert np.mean(cells.assignments.argmax(axis=1) == cells.cluster_labels) > 0.99


def test_a_larger_batch_effect_mixes_batches_less():
    losses = [
        float(
            batch_mixing_loss(
                jnp.asarray(cells.embeddings), jnp.asarray(cells.batch_labels), temperature=Local()
            )
        )
        for cells in (simulate_clusters(1000, batch_effect=effect) for effect in (0.0, 0.2, 1.0))
    ]
    assert losses[0] < losses[1] < losses[2] < -0.0 + 1e-3
    assert losses[0] < -0.9 * np.log(3)


def test_velocity_without_noise_leads_to_the_exact_future():
    cells = simulate_velocity(100, n_genes=40, noise=0.0)
    loss = velocity_consistency_loss(
        *map(jnp.asarray, (cells.expression, cells.velocity, cells.future_expression)), dt=cells.dt
    )
    assert float(loss) == pytest.approx(0, abs=1e-6)
    noisy = simulate_velocity(100, n_genes=40, noise=1.0)
    assert not np.allclose(noisy.velocity, cells.velocity)


def test_the_real_cells_are_the_700_of_scanpy():
    pytest.importorskip("scanpy", reason="needs the extra: data")
    cells = pbmc700()
    assert cells.embeddings.shape == (700, 50)
    assert len(np.unique(cells.cluster_labels)) == 10
    assert set(cells.batch_labels) == {0, 1, 2}
    assert cells.digest == pbmc700().digest
