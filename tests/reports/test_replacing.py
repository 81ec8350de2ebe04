"""What a command replaces is what this program made: nothing else is lost, whatever is asked."""

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
from tests.reports.written import all_records, sweep

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
@pytest.mark.parametrize("arguments", ["run", "build", "compare HEAD HEAD", "rebuild"])
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
    result = command(*arguments.split(), f"--output={output}")
    assert refused(result, output, named=PRECIOUS[output])
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


@pytest.mark.parametrize("option", ["sweep --output", "recall --json"])
def test_a_measurement_is_written_to_a_file_of_json_alone(folder, monkeypatch, option):
    """A slip of the keyboard replaces no text."""
    for name in ("sweep.run.run_sweep", "long.searches.run_recall"):
        monkeypatch.setattr(f"benchmarks.measure.{name}", lambda *_, **__: pytest.fail("measured"))
    (folder / "thesis.txt").write_text("years")
    result = CliRunner().invoke(benchmarks, [*option.split(), "thesis.txt"])
    assert (result.exit_code, "accepted are names that end in .json" in result.stderr) == (2, True)
    assert (folder / "thesis.txt").read_text() == "years"


@pytest.mark.parametrize("what", ["mistake", "interrupt"])
def test_what_stops_a_command_is_no_verdict(folder, monkeypatch, what):
    def stop(*_):
        raise KeyboardInterrupt if what == "interrupt" else ZeroDivisionError

    monkeypatch.setattr(reports, "read_results", stop)
    result = command("build")
    assert result.exit_code == 2
    assert ("Traceback" in result.stderr) == (what == "mistake")
