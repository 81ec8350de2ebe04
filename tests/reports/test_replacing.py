"""What a command replaces is what this program made: nothing else is lost, whatever is asked."""

import json
import os
from pathlib import Path

import pytest
from click.testing import CliRunner

from benchmarks.__main__ import main as benchmarks
from reports import __main__ as reports
from reports.sources.published import PAGE_MARKER
from reports.sources.results import read_results
from reports.sweep.publishing import publish
from reports.writing.folders import replacing_folder
from tests.reports.written import all_records, asv, sweep

README = "# title\n<!-- newest report -->\nold\n<!-- end of newest report -->\nrest\n"


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch, without_plots):
    """A working folder with a sweep, in which nothing is measured and plots cost nothing."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(reports, "run_sweep", lambda *_, **__: pytest.fail("it was measured"))
    sweep(tmp_path / "results" / "sweep.json", all_records())
    return tmp_path


def command(*arguments):
    return CliRunner().invoke(reports.main, [str(argument) for argument in arguments])


def files(folder):
    """Every file below with its text, and every link."""
    return {
        str(path.relative_to(folder)): os.readlink(path) if path.is_symlink() else path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_symlink() or path.is_file()
    }


def refused(result, path, *, named=None):
    assert result.exit_code == 2, result.output
    assert "Traceback" not in result.output
    (line,) = result.stderr.splitlines()
    assert line.startswith(f"{path}: "), line
    assert named is None or named in line
    return True


PRECIOUS = {
    ".": "the working folder",
    "..": "the working folder",
    "results": f"no {PAGE_MARKER}",
    "precious": f"no {PAGE_MARKER}",
    "link": "not a folder",
    "note.txt": "not a folder",
    "note.txt/page": "takes no folder",
    "report": "thesis.txt is not of this program",
}


@pytest.mark.parametrize("output", PRECIOUS)
@pytest.mark.parametrize("arguments", [["run"], ["build"], ["compare", "HEAD", "HEAD"]], ids=str)
def test_a_folder_that_was_not_made_here_is_refused_before_anything_is_measured(
    folder, monkeypatch, arguments, output
):
    monkeypatch.setattr(reports.commits, "resolve", lambda _: pytest.fail("it was resolved"))
    (folder / "precious").mkdir()
    (folder / "precious" / "thesis.txt").write_text("years")
    (folder / "link").symlink_to("precious")
    (folder / "note.txt").write_text("note")
    with replacing_folder(folder / "report") as new:
        (new / "index.html").write_text("page")
    (folder / "report" / "thesis.txt").write_text("years")
    before = files(folder)
    assert refused(command(*arguments, f"--output={output}"), output, named=PRECIOUS[output])
    assert files(folder) == before


def test_the_page_does_not_take_the_place_of_its_sweep():
    assert refused(command("run", "--output=new/sweep.json"), "new/sweep.json")


@pytest.mark.parametrize("state", ["absent", "empty", "a page"])
def test_a_folder_that_is_empty_or_was_made_here_is_replaced_as_a_whole(folder, state):
    page = folder / "pages" / "report"
    if state == "empty":
        page.mkdir(parents=True)
    if state == "a page":
        with replacing_folder(page) as new:
            (new / "inner").mkdir()
            (new / "inner" / "stale.html").write_text("stale")
    assert command("build", f"--output={page}").exit_code == 0
    assert (page / "index.html").exists()
    assert not (page / "inner").exists()
    assert [path.name for path in page.parent.iterdir()] == ["report"]
    assert command("build", f"--output={page}").exit_code == 0


@pytest.mark.parametrize("step", ["write", "exchange"])
def test_where_a_page_cannot_be_written_the_old_one_stays(folder, monkeypatch, step):
    assert command("build", "--output=page").exit_code == 0
    before = files(folder)
    full = OSError(28, "No space left on device")

    def fail(self, *_, **__):
        if step == "write" or self.name == "new":
            raise full
        return rename(self, *_)

    rename = Path.rename
    monkeypatch.setattr(Path, "write_bytes" if step == "write" else "rename", fail)
    assert refused(command("build", "--output=page"), "page", named="No space left on device")
    monkeypatch.undo()
    assert files(folder) == before
    assert not list(folder.glob(".page*"))


@pytest.mark.parametrize("lost", ["README.md", "page"])
def test_a_report_is_published_whole_or_not_at_all(folder, monkeypatch, lost):
    (folder / "README.md").write_text(README)
    read = read_results([folder / "results" / "sweep.json"])
    publish(read, folder / "kept", folder / "README.md")
    before = files(folder)
    later = sweep(folder / "results" / "later.json", all_records(), date="2026-01-02T00:00:00")
    write = Path.write_bytes

    def fail(self, content, *_, **__):
        if self.name.startswith(f"{lost}.") or (lost == "page" and self.name == "manifest.json"):
            raise OSError(28, "No space left on device")
        return write(self, content, *_, **__)

    monkeypatch.setattr(Path, "write_bytes", fail)
    with pytest.raises(OSError, match="No space left"):
        publish(read_results([later]), folder / "kept", folder / "README.md")
    monkeypatch.undo()
    monkeypatch.chdir(folder)
    later.unlink()
    assert files(folder) == before


def test_a_sweep_of_no_commit_is_not_published(folder):
    (folder / "README.md").write_text(README)
    sweep(folder / "results" / "sweep.json", all_records(), commit=None)
    before = files(folder)
    assert refused(command("publish"), "results/sweep.json", named="environment.commit is unknown")
    assert files(folder) == before


def test_rebuilt_pages_replace_no_folder_of_another_kind(folder):
    (folder / "README.md").write_text(README)
    read = read_results([folder / "results" / "sweep.json"])
    publish(read, folder / "reports" / "published", folder / "README.md")
    (folder / "strangers").mkdir()
    (folder / "strangers" / "thesis.txt").write_text("years")
    before = files(folder)
    assert refused(command("rebuild", "--output=strangers"), "strangers", named="not replaced")
    assert files(folder) == before


STRANGERS = {
    "text": "# Read me\n",
    "another JSON": '{"name": "package"}',
    "a list": "[1, 2]",
    "an empty list": "[]",
    "deep": 100_000 * "[",
    "not text": b"\xff\xfe\x00",
}
WRITING = {
    "sweep --output": {"schema_version": 5, "environment": {}, "records": []},
    "ratios --json": {"environment": {}, "ratios": []},
    "million --json": [{"phase": "exact", "n_cells": 7}],
    "recall --json": {"environment": {}, "searches": []},
}


@pytest.fixture
def measured(monkeypatch):
    """The names of the measurements that began."""
    began = []
    functions = (
        "measure.sweep.run.run_sweep",
        "peers.compare.compare_all",
        "measure.long.searches.run_million",
        "measure.long.searches.run_recall",
    )
    for name in functions:
        monkeypatch.setattr(
            f"benchmarks.{name}", lambda *_, name=name, **__: began.append(name) or []
        )
    return began


def measure(option, path):
    name, flag = option.split()
    return CliRunner().invoke(benchmarks, [name, flag, str(path)])


@pytest.mark.parametrize("option", WRITING)
@pytest.mark.parametrize("kind", [*STRANGERS, "link", *WRITING])
def test_a_measurement_replaces_no_file_of_another_kind(folder, measured, option, kind):
    path = folder / "out.json"
    if kind == "link":
        (folder / "target.json").write_text(json.dumps(WRITING[option]))
        path.symlink_to("target.json")
    else:
        text = STRANGERS.get(kind) or json.dumps(WRITING[kind])
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
    before = files(folder)
    result = measure(option, path)
    if kind == option:
        assert (result.exit_code, len(measured)) == (0, 1), result.output
    else:
        assert refused(result, path, named="it is not replaced")
        assert (measured, files(folder)) == ([], before)


@pytest.mark.parametrize("option", WRITING)
@pytest.mark.parametrize("state", ["absent", "empty"])
def test_a_measurement_is_written_where_nothing_is(folder, measured, option, state):
    path = folder / "out.json"
    if state == "empty":
        path.touch()
    assert measure(option, path).exit_code == 0
    assert len(measured) == 1


def test_a_reproduction_replaces_no_table_of_another_kind(folder):
    (folder / "README.md").write_text(README)
    read = read_results([folder / "results" / "sweep.json"])
    kept = publish(read, folder / "kept", folder / "README.md")
    again = sweep(folder / "again.json", all_records())
    (folder / "again.csv").write_text("name,wage\n")
    before = files(folder)
    result = command("reproduce", kept, f"--results={again}")
    assert refused(result, folder / "again.csv", named="does not hold rows of a reproduction")
    assert files(folder) == before
    (folder / "again.csv").unlink()
    for _ in range(2):
        assert command("reproduce", kept, f"--results={again}").exit_code == 0


@pytest.mark.parametrize("what", ["mistake", "interrupt"])
def test_what_stops_a_command_is_no_verdict(folder, monkeypatch, what):
    def stop(*_):
        raise KeyboardInterrupt if what == "interrupt" else ZeroDivisionError

    monkeypatch.setattr(reports, "read_results", stop)
    result = command("build")
    assert result.exit_code == 2
    assert ("Traceback" in result.stderr) == (what == "mistake")


def test_pages_of_the_history_are_replaced_too(folder):
    asv(folder / "asv", "a", 0, {"bench_throughput.Call.time_call": {"simpson:value": 1.0}})
    for _ in range(2):
        assert command("build", "--results=asv", "--output=page").exit_code == 0
