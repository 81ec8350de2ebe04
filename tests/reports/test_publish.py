"""A published report is kept whole, listed, shown in the README, and can be measured again."""

import json
import re

import pytest
from click.testing import CliRunner

from benchmarks.schema.suite import LOSSES
from reports.__main__ import main
from reports.judge.reproduction import outcomes
from reports.pages.publishing import publish
from reports.sources.frame import DamagedError
from reports.sources.manifest import read_published
from reports.sources.results import read_results
from reports.sources.sweep import read_sweep
from tests.reports.written import all_records, record, sweep

# Two reports take long to draw: one process draws them for all tests.
pytestmark = pytest.mark.xdist_group("published")

README = "# title\n<!-- newest report -->\nold\n<!-- end of newest report -->\nrest\n"


@pytest.fixture(scope="module")
def published(tmp_path_factory):
    """A folder with a README and two published reports, of two days."""
    folder = tmp_path_factory.mktemp("published")
    (folder / "README.md").write_text(README)
    for day in ("2026-01-02", "2026-01-01"):
        path = sweep(folder / f"{day}.json", all_records(), date=f"{day}T00:00:00+00:00")
        publish(read_results([path]), folder / "kept", folder / "README.md")
    return folder


def test_each_report_is_kept_with_its_manifest_and_data(published):
    names = ["2026-01-01-a-processor-00000000", "2026-01-02-a-processor-00000000"]
    folders = sorted(path for path in (published / "kept").iterdir() if path.is_dir())
    assert [folder.name for folder in folders] == names
    for folder in folders:
        found = read_published(folder / "manifest.json")
        assert (
            found.manifest["command"] == "python -m benchmarks sweep --n-cells=256 --n-cells=1024"
        )
        assert found.manifest["data_digests"] == {"cells": "ab"}
        assert {"index.html", "report.md", "measurements.csv"} <= {p.name for p in folder.iterdir()}


def test_the_index_lists_all_and_the_readme_shows_the_newest(published):
    index = (published / "kept" / "index.html").read_text()
    assert index.index("2026-01-02-a-processor") < index.index("2026-01-01-a-processor")
    readme = (published / "README.md").read_text()
    assert readme.startswith(f"# title\n<!-- newest report -->\n**All {len(LOSSES)} losses agree")
    assert readme.endswith("<!-- end of newest report -->\nrest\n")
    assert "](kept/2026-01-02-a-processor-00000000/throughput.png)" in readme
    assert "old" not in readme


def test_nothing_is_published_of_a_damaged_sweep(published, tmp_path):
    bad = tmp_path / "bad.json"
    bad.write_text("{")
    before = (published / "README.md").read_text()
    with pytest.raises(DamagedError, match=r"bad\.json"):
        publish(read_results([bad]), published / "kept", published / "README.md")
    (tmp_path / "README.md").write_text("no place")
    with pytest.raises(DamagedError, match="no place marked"):
        publish(
            read_results([published / "2026-01-01.json"]),
            published / "kept", tmp_path / "README.md",
        )  # fmt: skip
    assert (published / "README.md").read_text() == before
    assert len(list((published / "kept").glob("*/"))) == 2


def figures(*, value=-0.5, flops=100.0, fingerprint="aa", error=1e-7, calls=0.01, restless=0.0):
    times = [calls * (1 + 0.001 * at + restless * (at % 2)) for at in range(40)]
    return [
        record("shannon", "value", value),
        record("shannon", "flops", flops),
        record("shannon", "hlo_fingerprint", fingerprint),
        record("shannon", "value_error", error),
        record("shannon", "call_seconds", times[20], samples=times),
        record("shannon", "compile_seconds", calls),
    ]


def outcome(tmp_path, changes, **environment):
    """The outcome of every figure, the second time with the changes."""
    then = read_sweep(sweep(tmp_path / "then.json", figures()))
    now = read_sweep(sweep(tmp_path / "now.json", figures(**changes), **environment))
    return outcomes(then, now).set_index("metric")["outcome"].to_dict()


def test_the_same_is_identical(tmp_path):
    assert set(outcome(tmp_path, {}).values()) == {"identical bits"}


@pytest.mark.parametrize(
    ("change", "metric", "expected"),
    [
        ({"value": -0.5000001}, "value", "within tolerance"),
        ({"value": -0.51}, "value", "different"),
        ({"flops": 101.0}, "flops", "different"),
        ({"fingerprint": "bb"}, "hlo_fingerprint", "different"),
        ({"error": 2e-7}, "value_error", "within tolerance"),
        ({"error": 2e-5}, "value_error", "different"),
        ({"calls": 0.0101}, "call_seconds", "statistically indistinguishable"),
        ({"calls": 0.02}, "call_seconds", "different"),
        ({"calls": 0.02}, "compile_seconds", "not comparable here"),
    ],
)
def test_a_difference_is_told_by_what_it_means(tmp_path, change, metric, expected):
    assert outcome(tmp_path, change)[metric] == expected


@pytest.mark.parametrize(("restless", "expected"), [(0.0, "different"), (0.8, "statistically ind")])
@pytest.mark.parametrize(("when", "calls"), [("then", 0.019), ("now", 0.013)])
def test_what_visits_differ_by_in_either_run_is_usual_between_runs(
    tmp_path, when, calls, restless, expected
):
    slower = figures(calls=calls, restless=restless if when == "now" else 0.0)
    steady = figures(restless=restless if when == "then" else 0.0)
    then = read_sweep(sweep(tmp_path / "then.json", steady))
    now = read_sweep(sweep(tmp_path / "now.json", slower))
    found = outcomes(then, now).set_index("metric").loc["call_seconds"]
    assert found["outcome"].startswith(expected), found["reason"]


def test_elsewhere_only_what_must_agree_is_compared(tmp_path):
    changed = {"fingerprint": "bb", "calls": 0.02, "flops": 101.0}
    on_cores = outcome(tmp_path, changed, cores=8)
    assert on_cores["hlo_fingerprint"] == on_cores["call_seconds"] == "not comparable here"
    assert on_cores["flops"] == "different"
    versions = outcome(tmp_path, changed, packages={"jax": "0.11.2", "jaxlib": "0.11.2"})
    assert versions["flops"] == "not comparable here"
    assert versions["value"] == "identical bits"


def reproduce(path, results):
    return CliRunner().invoke(main, ["reproduce", str(path), f"--results={results}"])


def test_reproduce_says_so_with_its_exit_code(published, tmp_path):
    path = published / "kept" / "2026-01-01-a-processor-00000000"
    result = reproduce(path, sweep(tmp_path / "again.json", all_records()))
    assert (result.exit_code, "identical bits" in result.output) == (0, True)
    assert (tmp_path / "again.csv").exists()
    result = reproduce(path, sweep(tmp_path / "worse.json", all_records(shannon=1e-3)))
    assert (result.exit_code, "value_error" in result.output) == (1, True)


@pytest.mark.usefixtures("without_plots")
@pytest.mark.parametrize(("change", "code"), [({"calls": 0.02}, 0), ({"flops": 101.0}, 1)])
def test_times_that_differ_are_told_and_counters_that_differ_fail(tmp_path, change, code):
    (tmp_path / "README.md").write_text(README)
    read = read_results([sweep(tmp_path / "sweep.json", figures())])
    folder = publish(read, tmp_path / "kept", tmp_path / "README.md")
    result = reproduce(folder, sweep(tmp_path / "again.json", figures(**change)))
    assert (result.exit_code, "different" in result.output) == (code, True)
    _, quartiles = result.output.split("now over then")
    ratio = change.get("calls", 0.01) / 0.01
    assert f"call_seconds 1.0 {ratio} {ratio} {ratio}" in re.sub(" +", " ", quartiles)


@pytest.mark.parametrize("damage", ["absent", "manifest", "results"])
def test_a_damaged_publication_is_named(published, tmp_path, damage):
    folder = tmp_path / "kept"
    if damage != "absent":
        source = published / "kept" / "2026-01-01-a-processor-00000000"
        folder.mkdir()
        for name in ("manifest.json", "sweep.json"):
            (folder / name).write_bytes((source / name).read_bytes())
    if damage == "manifest":
        (folder / "manifest.json").write_text(json.dumps({"schema_version": 1}))
    if damage == "results":
        (folder / "sweep.json").write_text("{}")
    result = reproduce(folder, sweep(tmp_path / "again.json", all_records()))
    assert result.exit_code == 2
    assert "kept" in result.stderr
