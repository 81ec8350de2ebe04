"""A published report is kept whole, listed, shown in the README, and can be read again."""

import json

import pytest
from click.testing import CliRunner

from benchmarks.schema.suite import LOSSES
from reports.__main__ import main
from reports.pages.publishing import publish
from reports.sources.frame import DamagedError
from reports.sources.manifest import read_published
from reports.sources.results import read_results
from tests.reports.written import all_records, sweep

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


def reproduce(path, results):
    return CliRunner().invoke(main, ["reproduce", str(path), f"--results={results}"])


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
