"""What a published report is made of is kept and shown in the README; its pages are rebuilt."""

import gzip
import hashlib
import json
import shutil
import time

import pandas as pd
import pytest
from click.testing import CliRunner

from benchmarks.schema.suite import LOSSES
from reports.__main__ import main
from reports.sources.measurements import DamagedError
from reports.sources.published import PAGE_MARKER, SWEEP, pack, read_published
from reports.sources.results import read_results
from reports.sweep.page import build_report
from reports.sweep.publishing import publish, rebuild
from tests.reports.written import CALL, PROGRAM, all_records, asv, sweep

# Two reports take long to draw: one process draws them for all tests.
pytestmark = pytest.mark.xdist_group("published")

README = "# title\n<!-- newest report -->\nold\n<!-- end of newest report -->\nrest\n"


@pytest.fixture(scope="module")
def published(tmp_path_factory):
    """A folder with a README and reports of two days, the first with ratios to a peer."""
    folder = tmp_path_factory.mktemp("published")
    (folder / "README.md").write_text(README)
    for day in ("2026-01-02", "2026-01-01"):
        path = sweep(folder / f"{day}.json", all_records(), date=f"{day}T00:00:00+00:00")
        paths = [path, *([beside(path)] if day == "2026-01-01" else [])]
        publish(read_results(paths), folder / "kept", folder / "README.md")
    return folder


def beside(path, **environment):
    """A file of ratios to a peer that were measured where the sweep was."""
    content = json.loads(path.read_text())
    row = {**content["ratios"][0], "other": "torch"}
    written = {"environment": {**content["environment"], **environment}, "ratios": [row]}
    ratios = path.with_name(f"{path.stem}-beside.json")
    ratios.write_text(json.dumps(written, indent=1))
    return ratios


def test_each_report_is_kept_with_its_manifest_and_data(published):
    names = ["2026-01-01-m-a-processor-00000000", "2026-01-02-m-a-processor-00000000"]
    folders = sorted(path for path in (published / "kept").iterdir() if path.is_dir())
    assert [folder.name for folder in folders] == names
    for folder in folders:
        found = read_published(folder / "manifest.json")
        assert (
            found.manifest["command"] == "python -m benchmarks sweep --n-cells=256 --n-cells=1024"
        )
        assert found.manifest["data_digests"] == {"cells": "ab"}
        kept = {path.name for path in folder.iterdir()}
        measured = {SWEEP, *(["ratios-1.json.gz"] if "01-01" in folder.name else [])}
        assert set(found.manifest["results"]) == measured
        assert kept == {*measured, "manifest.json", "throughput.png", PAGE_MARKER}


def test_the_readme_shows_the_newest(published):
    readme = (published / "README.md").read_text()
    assert readme.startswith(f"# title\n<!-- newest report -->\n**All {len(LOSSES)} losses agree")
    assert readme.endswith("<!-- end of newest report -->\nrest\n")
    assert "](kept/2026-01-02-m-a-processor-00000000/throughput.png)" in readme
    assert "old" not in readme


def contents(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@pytest.mark.slow
def test_the_pages_are_rebuilt_byte_for_byte(published, tmp_path):
    page = rebuild(published / "kept", tmp_path / "rebuilt", tmp_path / "no asv")
    text = page.read_text()
    assert text.index("2026-01-02-m-a-processor") < text.index("2026-01-01-m-a-processor")
    assert "history" not in text
    for day in ("2026-01-02", "2026-01-01"):
        kept = published / "kept" / f"{day}-m-a-processor-00000000"
        rebuilt = contents(tmp_path / "rebuilt" / kept.name)
        measured = read_results([kept / name for name in read_published(kept).manifest["results"]])
        built = contents(build_report(measured, tmp_path / day).parent)
        assert {**rebuilt, PAGE_MARKER: built[PAGE_MARKER]} == built
        assert len(built) > 10
        assert rebuilt["throughput.png"] == (kept / "throughput.png").read_bytes()
        assert ("torch" in rebuilt["report.md"].decode()) == (day == "2026-01-01")


@pytest.mark.usefixtures("without_plots")
def test_the_history_is_that_of_asv_and_of_the_published_sweeps(published, tmp_path):
    asv(tmp_path / "asv", "a", 0, {CALL: {PROGRAM: 1.0}})
    page = rebuild(published / "kept", tmp_path / "rebuilt", tmp_path / "asv")
    assert '<a href="history/index.html">' in page.read_text()
    measured = pd.read_csv(page.parent / "history" / "measurements.csv")
    assert set(measured["commit"]) == {"a" * 40, "0" * 40}


def test_nothing_is_rebuilt_of_a_damaged_report_or_of_none(published, tmp_path):
    with pytest.raises(DamagedError, match="no report was published there"):
        rebuild(tmp_path / "kept", tmp_path / "rebuilt", tmp_path / "no asv")
    shutil.copytree(published / "kept", tmp_path / "kept")
    next((tmp_path / "kept").glob(f"*/{SWEEP}")).write_text("{}")
    with pytest.raises(DamagedError, match=f"{SWEEP} is not the file that was published"):
        rebuild(tmp_path / "kept", tmp_path / "rebuilt", tmp_path / "no asv")
    assert not (tmp_path / "rebuilt").exists()


def test_nothing_is_published_of_a_damaged_sweep(published, tmp_path):
    bad = tmp_path / "bad.json"
    bad.write_text("{")
    before = (published / "README.md").read_text()
    with pytest.raises(DamagedError, match=r"bad\.json"):
        publish(read_results([bad]), published / "kept", published / "README.md")
    (tmp_path / "README.md").write_text("no marks")
    with pytest.raises(DamagedError, match="no marks for"):
        publish(
            read_results([published / "2026-01-01.json"]),
            published / "kept", tmp_path / "README.md",
        )  # fmt: skip
    assert (published / "README.md").read_text() == before
    assert len(list((published / "kept").glob("*/"))) == 2


def test_the_same_measurements_are_packed_into_the_same_bytes(tmp_path, monkeypatch):
    path = sweep(tmp_path / "sweep.json", all_records())
    first = pack(path, tmp_path / "first.gz").read_bytes()
    monkeypatch.setattr(time, "time", lambda: 1e9)
    assert pack(path, tmp_path / "later.gz").read_bytes() == first


def test_the_report_of_another_machine_of_that_day_is_not_replaced(published, tmp_path):
    """Neither where the machines have names of their own, nor where they share one."""
    shutil.copytree(published, tmp_path / "all")
    kept, readme = tmp_path / "all" / "kept", tmp_path / "all" / "README.md"
    before = {path.name: contents(path) for path in kept.iterdir()}
    date = "2026-01-02T12:00:00+00:00"
    named = sweep(tmp_path / "named.json", all_records(), date=date, machine="n")
    assert publish(read_results([named]), kept, readme).name not in before
    alike = sweep(tmp_path / "alike.json", all_records(), date=date, memory_bytes=2**33)
    with pytest.raises(DamagedError, match=r"environment\.memory_bytes is 17179869184 there"):
        publish(read_results([alike]), kept, readme)
    assert {name: contents(kept / name) for name in before} == before
    again = sweep(tmp_path / "again.json", all_records(), date=date)
    assert publish(read_results([again]), kept, readme).name == "2026-01-02-m-a-processor-00000000"


@pytest.mark.parametrize(
    ("environment", "said"),
    [
        ({"dirty": True, "changes": "abc"}, "environment.dirty is true, what was measured is no"),
        ({"commit": None}, "environment.commit is unknown"),
        ({"date": "3026-01-01T00:00:00+00:00"}, "environment.date is 3026-01-01T00:00:00"),
    ],
)
def test_what_is_no_commit_or_of_no_day_yet_is_not_published(
    published, tmp_path, environment, said
):
    path = sweep(tmp_path / "sweep.json", all_records(), **environment)
    before = (published / "README.md").read_text()
    with pytest.raises(DamagedError, match=said):
        publish(read_results([path]), published / "kept", published / "README.md")
    assert (published / "README.md").read_text() == before


@pytest.mark.parametrize(
    ("name", "other"), [("commit", "ab" * 20), ("cpu", "Another"), ("machine", "n")]
)
def test_ratios_that_were_measured_elsewhere_are_not_published(published, tmp_path, name, other):
    path = tmp_path / "sweep.json"
    shutil.copyfile(published / "2026-01-01.json", path)
    ratios = beside(path, **{name: other})
    with pytest.raises(DamagedError, match=f"environment.{name} is '{other}', the sweep's '"):
        publish(read_results([path, ratios]), published / "kept", published / "README.md")


def test_ratios_of_a_dirty_tree_are_not_published_beside_a_clean_sweep(published, tmp_path):
    path = tmp_path / "sweep.json"
    shutil.copyfile(published / "2026-01-01.json", path)
    ratios = beside(path, dirty=True)
    with pytest.raises(DamagedError, match=r"environment\.dirty is True, the sweep's False"):
        publish(read_results([path, ratios]), published / "kept", published / "README.md")


def reproduce(path, results):
    return CliRunner().invoke(main, ["reproduce", str(path), f"--results={results}"])


def tampered(published, folder, change, *, manifest=None):
    """A publication whose sweep is another, with the digest of that one in its manifest."""
    source = published / "kept" / "2026-01-02-m-a-processor-00000000"
    shutil.copytree(source, folder)
    content = json.loads(gzip.decompress((folder / SWEEP).read_bytes()))
    change(content)
    (folder / SWEEP).write_bytes(gzip.compress(json.dumps(content).encode()))
    digest = hashlib.sha256((folder / SWEEP).read_bytes()).hexdigest()
    path = folder / "manifest.json"
    told = {**json.loads(path.read_text()), **(manifest or {}), "results": {SWEEP: digest}}
    path.write_text(json.dumps(told))
    return folder


def undo_a_step(content):
    content["unfinished"] = content["steps"]


def take_a_value(content):
    content["records"][0]["value"] = "none"


def repeat_a_record(content):
    content["records"].append(content["records"][0])


@pytest.mark.parametrize("change", [undo_a_step, take_a_value, repeat_a_record])
def test_a_published_sweep_is_complete(published, tmp_path, change):
    folder = tampered(published, tmp_path / "kept", change)
    result = reproduce(folder, sweep(tmp_path / "again.json", all_records()))
    assert (result.exit_code, "not a published report" in result.stderr) == (2, True)


@pytest.mark.parametrize(
    ("told", "said"),
    [
        ({"n_cells": [64]}, "n_cells without 256, 1024 and with 64"),
        ({"data_digests": {"cells": "ff"}}, "data_digests is {'cells': 'ff'}"),
    ],
)
def test_a_manifest_tells_of_the_sweep_beside_it(published, tmp_path, told, said):
    folder = tampered(published, tmp_path / "kept", lambda _: None, manifest=told)
    again = sweep(tmp_path / "again.json", all_records())
    result = reproduce(folder, again)
    assert (result.exit_code, said in result.stderr) == (2, True), result.stderr
    other = tampered(
        published, tmp_path / "other", lambda content: content["environment"].update(cpu="Another")
    )
    assert "another sweep: cpu is 'A processor', was 'Another'" in reproduce(other, again).stderr


@pytest.mark.parametrize("results", [".", "/", ""])
def test_a_path_that_is_no_sweep_is_named(published, results):
    result = reproduce(published / "kept" / "2026-01-02-m-a-processor-00000000", results)
    assert (result.exit_code, "cannot be read" in result.stderr) == (2, True)
    assert "Traceback" not in result.stderr


@pytest.mark.parametrize("damage", ["absent", "manifest", "results"])
def test_a_damaged_publication_is_named(published, tmp_path, damage):
    folder = tmp_path / "kept"
    if damage != "absent":
        source = published / "kept" / "2026-01-01-m-a-processor-00000000"
        folder.mkdir()
        for name in ("manifest.json", SWEEP):
            (folder / name).write_bytes((source / name).read_bytes())
    if damage == "manifest":
        (folder / "manifest.json").write_text(json.dumps({"schema_version": 1}))
    if damage == "results":
        (folder / SWEEP).write_text("{}")
    result = reproduce(folder, sweep(tmp_path / "again.json", all_records()))
    assert result.exit_code == 2
    assert "kept" in result.stderr
