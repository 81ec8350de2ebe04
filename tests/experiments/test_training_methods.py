"""The methods that are compared: their terms, their controls, and the rule of their weights."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from benchmarks.schema.observations import Training
from experiments.training.batch_terms import hsic, mixing, mmd, sinkhorn
from experiments.training.cells import BatchedCells
from experiments.training.correctors import _best_weight
from experiments.training.methods import (
    TRAINED,
    corrected_by,
    fit_corrector,
)
from experiments.training.quality import moved, quality

pytestmark = pytest.mark.usefixtures("compiled_quickly")

N_CELLS, N_BATCHES = 120, 2
TERMS = [mixing, mmd, hsic, pytest.param(sinkhorn, marks=pytest.mark.slow)]


@pytest.fixture(autouse=True)
def single_precision():
    with jax.enable_x64(False):
        yield


@pytest.fixture(scope="module")
def cells():
    """Three types in two batches that are a shift apart."""
    rng = np.random.default_rng(0)
    batches, types = rng.integers(N_BATCHES, size=N_CELLS), rng.integers(3, size=N_CELLS)
    points = rng.normal(size=(N_CELLS, 4)) + 4 * np.eye(4)[types] + 2 * batches[:, None]
    return BatchedCells(points.astype(np.float32), batches.astype(np.int32), types)


@pytest.mark.parametrize("term", TERMS)
def test_a_term_falls_as_the_batches_mix_and_masks_are_removals(cells, term):
    everywhere = jnp.ones(N_CELLS, bool)
    apart = term(jnp.asarray(cells.points), cells.batches, N_BATCHES, everywhere)
    together = jnp.asarray(cells.points - 2 * cells.batches[:, None])
    assert term(together, cells.batches, N_BATCHES, everywhere) < apart
    kept = np.arange(N_CELLS) < 100
    masked = term(jnp.asarray(cells.points), cells.batches, N_BATCHES, jnp.asarray(kept))
    removed = term(
        jnp.asarray(cells.points[kept]), cells.batches[kept], N_BATCHES, jnp.ones(100, bool)
    )
    # The kernels' common width and the transport's regularisation are of one minibatch.
    assert float(masked) == pytest.approx(float(removed), rel=0.05 if term is sinkhorn else 1e-3)


def test_a_trained_corrector_moves_cells_and_a_heavier_weight_moves_them_less(cells):
    method = next(method for method in TRAINED if method.name == "MMD")
    light, heavy = (
        fit_corrector(method, cells, weight, seed=0, n_steps=40).points for weight in (0.01, 100.0)
    )
    assert 0 < moved(cells.points, heavy) < moved(cells.points, light)


def test_shuffling_within_types_keeps_every_type_in_its_places(cells):
    within = corrected_by("shuffled within types", cells, 0).points
    for kind in np.unique(cells.types):
        rows = cells.types == kind
        assert {*map(tuple, within[rows])} == {*map(tuple, cells.points[rows])}
    wholly = quality(cells, corrected_by("shuffled wholly", cells, 0).points)
    assert wholly["clisi"] < quality(cells, within)["clisi"]


def _tuned(ilisi, clisi, share):
    measured = {"ilisi": ilisi, "clisi": clisi, "moved": share}
    return Training("cells", "method", None, 0, True, measured)


@pytest.mark.parametrize(
    ("rows", "chosen"),
    [
        ({1.0: (0.7, 0.9, 0.01), 2.0: (0.8, 0.9, 0.02)}, 2.0),
        ({1.0: (0.7, 0.9, 0.01), 2.0: (0.8, 0.8, 0.02)}, 1.0),
        ({1.0: (0.7, 0.9, 0.01), 2.0: (0.8, 0.9, 0.04)}, 1.0),
        ({1.0: (0.7, 0.8, 0.05), 2.0: (0.8, 0.8, 0.04)}, 2.0),
    ],
)
def test_the_best_mixed_weight_that_preserves_is_chosen_or_else_what_moves_least(rows, chosen):
    tunings = {weight: _tuned(*row) for weight, row in rows.items()}
    assert _best_weight(tunings, 0.9) == chosen
