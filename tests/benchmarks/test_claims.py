"""The experiments: every one runs small, and its verdict follows the code, not a constant."""

import json

import jax
import pandas as pd
import pytest
from click.testing import CliRunner

from benchmarks.__main__ import main
from benchmarks.claims import EXPERIMENTS, SMALL
from benchmarks.claims.document import CLAIMS, batch_mixing
from benchmarks.claims.experiment import Claim, Found
from benchmarks.claims.run import run_experiments
from diffbio.datasets import OfflineError
from reports.judge.claims import Finding, judged_claims
from reports.sources.observations import read_observations


@pytest.fixture(autouse=True)
def single_precision():
    """As a run has it: some of the field's packages mix precisions otherwise."""
    with jax.enable_x64(False):
        yield


def finding(claim, size=SMALL):
    (judged,) = judged_claims(pd.DataFrame(claim.experiment.measure(size).margins))
    return judged.finding


def claim_about(statement):
    (found,) = [claim for claim in CLAIMS if statement in claim.statement]
    return found


@pytest.mark.parametrize("experiment", EXPERIMENTS, ids=lambda e: e.name)
def test_every_experiment_runs_small_without_an_error(experiment):
    try:
        observed = experiment.measure(SMALL)
    except OfflineError as error:
        pytest.skip(str(error))
    assert any(observed)
    assert [row.error for row in observed.margins if row.error] == []
    json.dumps(observed.parts(), allow_nan=False)


def test_the_sign_of_the_loss_decides_the_verdict(monkeypatch):
    claim = claim_about("Lower when batches are mixed")
    assert finding(claim) == Finding.HOLDS
    loss = batch_mixing.batch_mixing_loss
    monkeypatch.setattr(batch_mixing, "batch_mixing_loss", lambda *a, **o: -loss(*a, **o))
    assert finding(claim) == Finding.DOES_NOT_HOLD


def test_an_error_is_no_evidence_for_a_claim():
    claim = Claim("Shannon diversity", "It divides by zero", lambda seed, size: 1 / 0)
    rows = claim.experiment.measure(SMALL).margins
    assert {(row.margin, row.error) for row in rows} == {
        (None, "ZeroDivisionError: division by zero")
    }
    assert finding(claim) == Finding.DOES_NOT_HOLD


def _found(seed, size):
    return {"": Found(1.0 + seed, {"seed": seed})}


def _stops(size):
    raise KeyboardInterrupt


def test_an_interrupted_run_goes_on_and_a_finished_one_is_read(tmp_path):
    path = tmp_path / "claims.json"
    experiments = [Claim("a loss", name, _found).experiment for name in ("one", "two")]
    stopped = [experiments[0], experiments[1]._replace(measure=_stops)]
    with pytest.raises(KeyboardInterrupt, match="run again to go on"):
        run_experiments(path, stopped, SMALL)
    assert read_observations(path).complaints != ()
    run_experiments(path, experiments, SMALL)
    read = read_observations(path)
    assert read.complaints == ()
    assert sorted(read.margins["statement"]) == ["one", "one", "two", "two"]


def test_an_unknown_experiment_is_named():
    result = CliRunner().invoke(main, ["claims", "--only=nothing such"])
    assert (result.exit_code, "nothing such" in result.stderr) == (2, True)
