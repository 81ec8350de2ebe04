"""The experiments: every one runs small, and its verdict follows the code, not a constant."""

import functools
import json
import time

import jax
import pandas as pd
import pytest
from click.testing import CliRunner

from diffbio.datasets import OfflineError
from experiments.__main__ import main
from experiments.catalog import CLAIMS, EXPERIMENTS
from experiments.document import (
    batch_mixing,
    compactness,
    diversity,
    velocity,
)
from experiments.experiment import SMALL, Claim, Found
from experiments.run import run_experiments
from reports.claims.reading import read_observations
from reports.claims.verdicts import Finding, judge_claims
from tests.tiers import slow_unless

pytestmark = pytest.mark.usefixtures("compiled_quickly")

# These compile whole trainings of models, however small, or repeat on real cells what others do
# on simulated ones; test_training_methods.py has the parts of the trainings.
SLOW = (
    "batch mixing: Training a corrector with it mixes the batches",
    "combined loss: The recommended weights serve their scenario better than the other rows",
    *(e.name for e in EXPERIMENTS if e.name.startswith("training: ")),
    *(e.name for e in EXPERIMENTS if e.name.startswith("validity: ") and "simulated" not in e.name),
    "validity: batch mixing beside iLISI and kBET, simulated clusters",
)


@pytest.fixture(autouse=True)
def single_precision():
    """As a run has it: some of the field's packages mix precisions otherwise."""
    with jax.enable_x64(False):
        yield


def judged(claim, size=SMALL):
    (found,) = judge_claims(pd.DataFrame(claim.experiment.measure(size).margins))
    return found


def finding(claim):
    return judged(claim).finding


def claim_about(statement):
    (found,) = [claim for claim in CLAIMS if statement in claim.statement]
    return found


@pytest.mark.parametrize(
    "experiment",
    [pytest.param(e, id=e.name, marks=slow_unless(e.name not in SLOW)) for e in EXPERIMENTS],
)
def test_every_experiment_runs_small_without_an_error(experiment):
    try:
        observed = experiment.measure(SMALL)
    except OfflineError as error:
        pytest.skip(str(error))
    assert any(observed)
    assert [row.error for row in observed.margins if row.error] == []
    json.dumps(observed.parts(), allow_nan=False)


def negated(monkeypatch, module, loss):
    original = getattr(module, loss)
    monkeypatch.setattr(module, loss, lambda *a, **o: -original(*a, **o))


@pytest.mark.parametrize(
    ("module", "loss", "statement"),
    [
        (batch_mixing, "batch_mixing_loss", "Lower when batches are mixed"),
        (batch_mixing, "batch_mixing_loss", "Perfect mixing"),
        (compactness, "clustering_compactness_loss", "Lower for tight clusters"),
        (velocity, "velocity_consistency_loss", "Lower for velocities"),
        (velocity, "velocity_consistency_loss", "turn away"),
        (diversity, "shannon_diversity", "From 0 for one-hot"),
        (diversity, "simpson_diversity", "From 1/K for uniform"),
        (diversity, "simpson_diversity", "More sensitive to dominant"),
    ],
)
def test_a_claim_does_not_hold_of_the_negated_loss(monkeypatch, module, loss, statement):
    claim, size = claim_about(statement), SMALL._replace(n_seeds=5)
    assert judged(claim, size).finding != Finding.DOES_NOT_HOLD
    negated(monkeypatch, module, loss)
    assert judged(claim, size).finding == Finding.DOES_NOT_HOLD


@pytest.mark.parametrize(
    ("module", "loss", "statement"),
    [
        (compactness, "clustering_compactness_loss", "Lower for clusters further apart"),
        (compactness, "clustering_compactness_loss", "silhouette"),
    ],
)
def test_negating_the_loss_takes_a_claims_conditions_away(monkeypatch, module, loss, statement):
    claim = claim_about(statement)
    held = {condition.text for condition in judged(claim).conditions if condition.holds}
    negated(monkeypatch, module, loss)
    still = {condition.text for condition in judged(claim).conditions if condition.holds}
    assert held
    assert not held & still


@pytest.mark.slow
def test_the_sign_of_the_loss_decides_which_example_mixes_the_batches(monkeypatch):
    claim = claim_about("Training a corrector")
    trained = SMALL._replace(n_steps=50)
    as_it_is = [condition.holds for condition in judged(claim, trained).conditions]
    negated(monkeypatch, batch_mixing, "batch_mixing_loss")
    jax.clear_caches()
    assert [condition.holds for condition in judged(claim, trained).conditions] == as_it_is[::-1]
    jax.clear_caches()


def test_an_error_is_no_evidence_for_a_claim():
    claim = Claim("Shannon diversity", "It divides by zero", lambda seed, size: 1 / 0)
    rows = claim.experiment.measure(SMALL).margins
    assert {(row.margin, row.error) for row in rows} == {
        (None, "ZeroDivisionError: division by zero")
    }
    assert finding(claim) == Finding.DOES_NOT_HOLD


def _found(seed, size):
    return {"": Found(1.0 + seed, {"seed": seed})}


def _stops_once_written(path, size):
    """The other experiment runs beside this one and may end later."""
    end = time.monotonic() + 60
    while not path.exists() and time.monotonic() < end:
        time.sleep(0.01)
    raise KeyboardInterrupt


@pytest.mark.slow
def test_an_interrupted_run_goes_on_and_a_finished_one_is_read(tmp_path):
    path = tmp_path / "claims.json"
    experiments = [Claim("a loss", name, _found).experiment for name in ("one", "two")]
    stops = functools.partial(_stops_once_written, path)
    stopped = [experiments[0], experiments[1]._replace(measure=stops)]
    with pytest.raises(KeyboardInterrupt, match="run again to go on"):
        run_experiments(path, stopped, SMALL)
    assert read_observations(path).complaints != ()
    run_experiments(path, experiments, SMALL)
    read = read_observations(path)
    assert read.complaints == ()
    assert sorted(read.margins["statement"]) == ["one", "one", "two", "two"]


def test_an_unknown_experiment_is_named():
    result = CliRunner().invoke(main, ["--only=nothing such"])
    assert (result.exit_code, "nothing such" in result.stderr) == (2, True)
