"""How often whole reports err, in simulation: few of them at once, the table with all of them."""

import pandas as pd
import pytest
from click.testing import CliRunner
from scipy import stats

from reports.__main__ import main
from reports.commits.errors import coverage, error_rates
from reports.commits.errors.error_rates import MODELS, TABLE, error_rate
from tests.tiers import tiered


@pytest.mark.parametrize("model", tiered(MODELS, quick=["process", "lognormal", "clock ticks"]))
def test_error_rates_of_a_few_reports(model):
    row = error_rate(model, 16)
    most = stats.binom.ppf(0.99, 16, 0.05)
    assert max(row["false_alarms"], row["false_alarms_10"], row["false_alarms_20"]) <= most
    assert row["found_20"] >= 0.8
    if model == "process":
        assert row["found_10"] >= 0.6


def test_the_tables_meet_what_was_promised():
    table = pd.read_csv(TABLE).set_index("model")
    assert list(table.index) == list(MODELS)
    assert (table["reports"] == 400).all()
    for column in ("false_alarms", "false_alarms_10", "false_alarms_20"):
        assert (table[column] <= 0.05 * table["reports"]).all()
    assert (table["found_20"] >= 0.9).all()
    assert table.loc["process", "found_20"] >= 0.95
    assert table.loc["process", "found_10"] >= 0.6
    held = pd.read_csv(coverage.TABLE)
    assert tuple(held["rounds"]) == coverage.ROUNDS
    assert (held[["held", "true"]] >= 0.95).all(axis=None)
    assert (held["lowest"] >= 0.93).all()


@pytest.mark.slow
def test_the_tables_are_what_the_simulation_yields(tmp_path):
    run = CliRunner().invoke(main, ["error-rates", "--output", str(tmp_path)])
    assert run.exit_code == 0, run.output
    for module in (error_rates, coverage):
        written = pd.read_csv(tmp_path / module.TABLE.name)
        pd.testing.assert_frame_equal(written, pd.read_csv(module.TABLE))
