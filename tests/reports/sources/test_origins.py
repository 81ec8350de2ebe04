"""What was measured stands under the commit and the day that it is of, or under none."""

import pytest
from click.testing import CliRunner

from reports.__main__ import main
from reports.sources.results import read_results
from tests.reports.written import all_records, pytest_benchmark, record, sweep


@pytest.mark.parametrize("kind", ["sweep", "pytest-benchmark"])
def test_what_is_measured_with_uncommitted_changes_stands_under_no_commit(tmp_path, kind):
    """Otherwise it would take the place of the commit's own measurement in the history."""

    def measured(name, dirty):
        if kind == "sweep":
            records = [record("shannon", "call_seconds", 2.0 + dirty)]
            return sweep(
                tmp_path / name, records, dirty=dirty, date=f"2026-01-0{2 + dirty}T00:00:00"
            )
        date = f"2026-01-0{2 + dirty}T00:00:00"
        return pytest_benchmark(tmp_path / name, dirty=dirty, date=date, median=2.0 + dirty)

    read = read_results([measured("clean.json", dirty=False), measured("dirty.json", dirty=True)])
    times = read.measurements.frame.query("metric == 'call_seconds'")
    assert dict(zip(times["value"], times["commit"], strict=True)) == {2.0: "0" * 40, 3.0: None}


@pytest.mark.usefixtures("without_plots")
def test_a_sweep_of_the_future_is_named_and_not_the_newest(tmp_path):
    paths = [
        sweep(tmp_path / f"{year}.json", all_records(), date=f"{year}-01-01T00:00:00+00:00")
        for year in (2025, 2026, 3026)
    ]
    assert read_results(paths).newest.path == paths[1]
    arguments = [f"--results={path}" for path in paths]
    result = CliRunner().invoke(main, ["build", *arguments, f"--output={tmp_path / 'page'}"])
    assert result.exit_code == 2
    assert "3026.json: environment.date is 3026-01-01T00:00:00+00:00, which is still to come" in (
        result.stderr
    )
    alone = read_results([pytest_benchmark(tmp_path / "p.json", date="3026-01-01T00:00:00")])
    assert "datetime is 3026" in str(alone.measurements.complaints[0])
