"""The losses beside the field's measures: the measures are theirs, the correlations are found."""

import jax.numpy as jnp
import numpy as np
import pandas as pd
import pytest
import scipy.stats

from diffbio.datasets import simulate_clusters
from diffbio.functional import Perplexity, batch_mixing_loss
from diffbio.neighbors import nearest_neighbors
from experiments import measures
from experiments.experiment import SMALL
from experiments.real_cells import nine_tenths
from experiments.validity import compactness, mixing, velocity
from reports.claims.correlations import correlations, settings
from tests.tiers import slow_unless, tiered

pytest.importorskip("scib_metrics", reason="needs the extra: claims")
pytest.importorskip("scvelo", reason="needs the extra: claims")

pytestmark = pytest.mark.usefixtures("compiled_quickly")

# The first experiment of each file is about simulated cells; its first sweep is enough.
SIZE = SMALL._replace(n_points=8, n_seeds=1)
FAMILIES = {
    "batch mixing": (mixing, "batch_mixing_loss"),
    "compactness": (compactness, "clustering_compactness_loss"),
    "velocity consistency": (velocity, "velocity_consistency_loss"),
}


@pytest.fixture(scope="module")
def cells():
    return simulate_clusters(128, n_clusters=5, batch_effect=0.3)


@pytest.fixture(scope="module")
def neighbors(cells):
    return nearest_neighbors(jnp.asarray(cells.embeddings), measures.N_LISI_NEIGHBORS - 1)


def found(module):
    return correlations(pd.DataFrame(module.EXPERIMENTS[0].measure(SIZE).associations))


@pytest.mark.parametrize(
    ("module", "loss"),
    [
        pytest.param(*family, id=name, marks=slow_unless(name != "batch mixing"))
        for name, family in FAMILIES.items()
    ],
)
def test_the_recommended_setting_ranks_cells_as_the_measures_do_and_its_negative_does_not(
    module, loss, monkeypatch
):
    assert {c.reached for c in found(module) if c.recommended} == {True}
    original = getattr(module, loss)
    monkeypatch.setattr(module, loss, lambda *a, **o: -original(*a, **o))
    assert {c.reached for c in found(module) if c.recommended} == {False}


@pytest.mark.parametrize(
    "module",
    tiered([module for module, _ in FAMILIES.values()], quick=[compactness, velocity]),
    ids=FAMILIES,
)
def test_one_setting_is_recommended_and_all_are_compared_at_the_same_points(module):
    rows = pd.DataFrame(module.EXPERIMENTS[0].measure(SIZE).associations)
    assert rows[rows["recommended"]]["loss"].nunique() == 1
    points = rows.groupby("loss")[["varied", "at", "seed", "measure", "measure_value"]]
    first, *others = (of_loss.reset_index(drop=True) for _, of_loss in points)
    for other in others:
        pd.testing.assert_frame_equal(first, other)


def test_only_a_global_temperature_depends_on_the_unit_of_the_embedding():
    rows = pd.DataFrame(mixing.EXPERIMENTS[0].measure(SIZE).associations)
    differ = {
        loss.split(", ")[1]
        for loss, of_loss in rows.groupby("loss")
        if len({tuple(of_sweep["loss_value"]) for _, of_sweep in of_loss.groupby("varied")}) > 1
    }
    assert differ == {"global"}


def test_ilisi_is_the_median_of_the_lisi_that_the_loss_can_compute(cells, neighbors):
    simpson = batch_mixing_loss(
        jnp.asarray(cells.embeddings),
        jnp.asarray(cells.batch_labels),
        temperature=Perplexity(30.0),
        index="simpson",
        neighbor_indices=neighbors,
        reduce=False,
    )
    expected = (np.median(1 / np.asarray(simpson)) - 1) / 2
    assert measures.ilisi(neighbors, cells.batch_labels) == pytest.approx(expected, abs=5e-5)


def test_kbet_is_the_share_of_cells_whose_neighbours_pass_the_chi_squared_test(cells, neighbors):
    labels, n_tested = cells.batch_labels, 128 // 3 // 4
    shares = np.bincount(labels) / 128
    indices = np.asarray(neighbors.indices)
    near = [labels[[cell, *indices[cell, :n_tested]]] for cell in range(128)]
    p_values = [
        scipy.stats.chisquare(np.bincount(n, minlength=3), shares * (n_tested + 1)).pvalue
        for n in near
    ]
    expected = np.mean(np.array(p_values) >= 0.05)
    assert measures.kbet(neighbors, labels) == pytest.approx(expected, abs=1e-6)


def test_velocity_confidence_is_the_mean_correlation_with_the_neighbours(neighbors):
    velocity = np.random.default_rng(0).normal(size=(128, 6))
    indices = np.asarray(neighbors.indices)
    correlation = np.corrcoef(velocity)
    per_cell = [correlation[cell, indices[cell]].mean() for cell in range(128)]
    expected = np.clip(per_cell, 0, None).mean()
    assert measures.velocity_confidence(velocity, neighbors) == pytest.approx(expected, rel=1e-6)


def test_every_seed_has_other_nine_tenths_of_the_real_cells(cells):
    whole = SMALL._replace(n_real_cells=None)
    first, second = (nine_tenths(cells, whole, seed) for seed in (0, 1))
    assert first.n_cells == second.n_cells == 115
    assert first.digest != second.digest
    assert nine_tenths(cells, SMALL._replace(n_real_cells=50), 0).n_cells == 50


def test_a_setting_is_judged_by_its_weakest_sweep():
    rows = [
        {
            "loss": "a loss", "measure": "a measure", "target": -0.9, "recommended": True,
            "cells": "some", "varied": varied, "at": at, "seed": 0, "loss_value": at,
            "measure_value": sign * at,
        }
        for varied, sign in (("down", -1.0), ("up", 1.0))
        for at in (0.0, 1.0, 2.0)
    ]  # fmt: skip
    (judged,) = settings(correlations(pd.DataFrame(rows)))
    assert (judged.n_reached, judged.n_sweeps, judged.weakest.varied) == (1, 2, "up")
