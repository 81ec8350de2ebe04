"""How often whole reports err, in simulation: few of them at once, the table with all of them."""

import pandas as pd
import pytest
from click.testing import CliRunner
from scipy import stats

from reports.__main__ import main
from reports.judge.error_rates import COLUMNS, TABLE, error_rate
from reports.judge.noise import NOISES


@pytest.mark.parametrize("model", NOISES)
def test_error_rates_of_a_few_reports(model):
    row = error_rate(model, 16)
    most = stats.binom.ppf(0.99, 16, 0.05)
    assert max(row["false_alarms"], row["false_alarms_10"], row["false_alarms_20"]) <= most
    assert row["found_20"] >= 0.9
    if model == "process":
        assert row["found_10"] >= 0.6


def test_the_table_meets_what_was_promised():
    table = pd.read_csv(TABLE).set_index("model")
    assert list(table.index) == list(NOISES)
    assert (table["reports"] == 400).all()
    for column in ("false_alarms", "false_alarms_10", "false_alarms_20"):
        assert (table[column] <= 0.05 * table["reports"]).all()
    assert table.loc["process", "found_20"] >= 0.95
    assert table.loc["process", "found_10"] >= 0.6


@pytest.mark.slow
def test_the_table_is_what_the_simulation_yields(tmp_path):
    path = tmp_path / "rates.csv"
    run = CliRunner().invoke(main, ["error-rates", "--output", str(path)])
    assert run.exit_code == 0, run.output
    pd.testing.assert_frame_equal(pd.read_csv(path), pd.read_csv(TABLE)[COLUMNS])
