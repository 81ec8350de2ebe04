"""Losses and trainings in several processes agree with one process and with the reference."""

import itertools

import numpy as np
import pytest

from benchmarks.catalog.cases import case
from benchmarks.measure.sweep.accuracy import reference_errors, reference_results
from diffbio.training import fit
from tests.sharding.processes.members import Check, alone, answer_of, together, train
from tests.sharding.trainings import TRAININGS

pytestmark = pytest.mark.slow

# Means, sums of two kinds, and a search whose gradients travel.
LOSSES = ("batch_mixing", "compactness", "velocity")
# Four devices divide one of the numbers of cells: each process then has its own rows.
N_CELLS = (203, 204)
TOLERANCES = {
    "float32": {"value_error": 1e-6, "gradient_error": 1e-5},
    "float64": {"value_error": 1e-12, "gradient_error": 1e-11},
}


@pytest.fixture(autouse=True)
def kept_programs(monkeypatch, pytestconfig):
    """The processes keep their compiled programs for the next run of these tests."""
    monkeypatch.setenv("JAX_COMPILATION_CACHE_DIR", str(pytestconfig.cache.mkdir("jax")))


def test_two_processes_agree_with_the_reference():
    checks = [Check("simpson", "float64", True, n_cells) for n_cells in (67, 68)]
    for check, found in zip(checks, answer_of(together, 2, 2, checks), strict=True):
        expected = reference_results(case(check.loss), check.inputs())
        assert max(reference_errors(expected, *found).values()) < 1e-12


def test_losses_of_every_kind_agree_with_one_process():
    checks = list(itertools.starmap(Check, itertools.product(LOSSES, TOLERANCES, (0, 1), N_CELLS)))
    results = answer_of(together, 2, 2, checks), answer_of(alone, 1, checks)
    for check, found, expected in zip(checks, *results, strict=True):
        for name, error in reference_errors(expected, *found).items():
            assert error <= TOLERANCES[check.dtype][name], (check, name)


def test_a_training_in_several_processes_has_the_losses_of_one_and_goes_on(tmp_path):
    name = "velocity model"
    options = {"batch_size": 30, "learning_rate": 1e-2, "progress": False}
    training = TRAININGS[name]
    expected = fit(
        training.model(), training.data, training.objective(None), n_steps=9, **options
    ).losses
    options["checkpoint"] = tmp_path
    for n_steps in (4, 9):
        losses = answer_of(train, 2, name, {**options, "n_steps": n_steps})
        np.testing.assert_allclose(losses, expected[:n_steps], rtol=1e-5)
