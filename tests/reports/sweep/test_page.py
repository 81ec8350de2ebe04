"""The report says what the records say, and complains about records that say nothing."""

import json
import re
from dataclasses import replace

import pandas as pd
import pytest
from click.testing import CliRunner

from benchmarks.schema.metrics import METRICS
from benchmarks.schema.suite import LOSSES
from reports.__main__ import main
from reports.sources.published import PAGE_MARKER
from reports.sources.sweep_file import read_sweep
from reports.sweep.agreement import agreements
from reports.sweep.tables import speeds
from tests.reports.written import ENVIRONMENT, all_records, record, sweep


def build(tmp_path, records):
    sweep(tmp_path / "sweep.json", records)
    return run(tmp_path)


def run(tmp_path):
    arguments = [f"--results={tmp_path / 'sweep.json'}", f"--output={tmp_path / 'r'}"]
    return CliRunner().invoke(main, ["build", *arguments])


def test_page_markdown_plots_and_data_are_written(tmp_path):
    result = build(tmp_path, all_records())
    assert result.exit_code == 0, result.output
    assert str(tmp_path / "r" / "index.html") in result.output
    assert f"All {len(LOSSES)} losses agree" in result.output
    page = (tmp_path / "r" / "index.html").read_text()
    for text in (*LOSSES, "A processor", "no gpu here", "simulated and real cells"):
        assert text in page
    assert page.count("<svg") == 5
    links = re.findall(r'(?:src|href)="([^"]+)"', page)
    assert not [link for link in links if link.startswith(("http", "//"))]
    names = {p.name for p in (tmp_path / "r").iterdir()}
    drawn = ("lower-bounds", "throughput", "memory", "compile", "v-curves")
    plots = {f"{name}.{extension}" for name in drawn for extension in ("svg", "png")}
    data = {"measurements.csv", "sweep.json", PAGE_MARKER, *(f"{name}.csv" for name in drawn)}
    assert names == {"index.html", "report.md", *data, *plots}
    assert "| shannon | 1.0e-07 |" in (tmp_path / "r" / "report.md").read_text()


@pytest.mark.usefixtures("without_plots")
def test_losses_that_do_not_agree_or_were_not_measured_are_named_and_fail(tmp_path):
    records = [r for r in all_records(simpson=1e-3) if r.loss != "shannon"]
    failed = record("shannon", "call_seconds", None, status="failed", detail="ValueError: no")
    result = build(tmp_path, [*records, failed])
    assert result.exit_code == 1
    assert f"{len(LOSSES) - 2} of {len(LOSSES)} losses agree" in result.output
    assert "not shown to agree: shannon, simpson; failed benchmarks: 1" in result.output
    assert "ValueError: no" in (tmp_path / "r" / "index.html").read_text()


@pytest.mark.usefixtures("without_plots")
@pytest.mark.parametrize(
    "metric",
    ["differing_repeats", "differing_processes", "neighbor_error", "block_size_error"],
)
def test_a_loss_with_other_results_the_second_time_or_wrong_neighbours_does_not_agree(
    tmp_path, metric
):
    result = build(tmp_path, [*all_records(), record("shannon", metric, 1)])
    assert result.exit_code == 1
    assert "not shown to agree: shannon; failed" in result.output


def agreement(tmp_path, *records):
    """That of the Shannon diversity, where all is well but the records."""
    read = read_sweep(sweep(tmp_path / "sweep.json", all_records()))
    rows = [*read.frame.to_dict("records"), *({**one.row(), "loss": one.loss} for one in records)]
    found = agreements(replace(read, frame=pd.DataFrame(rows)))
    return next(row for row in found if row.loss == "shannon")


def test_a_loss_that_fails_at_one_size_does_not_agree(tmp_path):
    assert agreement(tmp_path).holds
    failed = record("shannon", "flops", None, n_cells=1024, status="failed", detail="boom")
    found = agreement(tmp_path, failed)
    assert (found.holds, found.n_failed) == (False, 1)


@pytest.mark.parametrize("error", [-1e-7, None])
@pytest.mark.parametrize("metric", ["gradient_error", "neighbor_error", "differing_repeats"])
def test_an_error_that_is_none_is_no_agreement(tmp_path, metric, error):
    assert not agreement(tmp_path, record("shannon", metric, error, n_cells=1024)).holds


def test_the_speed_is_that_of_the_largest_size(tmp_path):
    slow = [
        record("shannon", "call_seconds", 3.0, n_cells=4096),
        record("shannon", "lower_bound_ratio", 1.5, n_cells=4096),
        record("shannon", "call_seconds", 9.0, n_cells=4096, source="real"),
    ]
    found = speeds(read_sweep(sweep(tmp_path / "sweep.json", [*all_records(), *slow])))
    assert [speed.loss for speed in found] == list(LOSSES)
    costs = {speed.loss: (speed.n_cells, speed.costs) for speed in found}
    assert costs["shannon"] == (4096, ((None, None), (3.0, 1.5)))
    assert costs["simpson"] == (1024, ((None, None), (2.0, None)))


@pytest.mark.usefixtures("without_plots")
def test_the_environment_and_the_command_stand_on_the_page(tmp_path):
    sweep(tmp_path / "sweep.json", all_records(), xla_flags="--xla_a=1")
    run(tmp_path)
    page = (tmp_path / "r" / "index.html").read_text()
    said = [ENVIRONMENT[name] for name in ("command", "commit", "cpu", "os", "python")]
    said += ["2 cores", "16 GiB", "jax 0.10.2", "jaxlib 0.10.2", "--xla_a=1", "cpu: cpu", "(clean)"]
    assert [text for text in said if text not in page] == []


@pytest.mark.usefixtures("without_plots")
def test_no_number_of_the_headline_is_broken_in_two(tmp_path):
    build(tmp_path, all_records())
    page = (tmp_path / "r" / "index.html").read_text()
    assert 'value <span class="unbroken">1.0e-07</span>, gradient' in page


@pytest.mark.usefixtures("without_plots")
def test_absent_and_empty_results_are_errors(tmp_path):
    result = run(tmp_path)
    assert (result.exit_code, "sweep.json" in result.output) == (2, True)
    result = build(tmp_path, [])
    assert (result.exit_code, "nothing was measured" in result.output) == (2, True)


def test_every_metric_has_a_unit_and_a_direction():
    assert {metric.better for metric in METRICS.values()} <= {"lower", "higher", "equal"}
    assert all(metric.unit for metric in METRICS.values())
    json.dumps({name: metric._asdict() for name, metric in METRICS.items()})
