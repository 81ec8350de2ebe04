import pytest
from click.testing import CliRunner

from reports.__main__ import main
from reports.judge import commits
from tests.reports.written import asv, change, figures_of_asv


@pytest.fixture
def without_plots(monkeypatch):
    """Pages without their plots, which take seconds to draw; one picture is an empty file."""
    monkeypatch.setattr("reports.pages.report.plots", lambda *_: ())
    monkeypatch.setattr(
        "reports.pages.report.write_plots", lambda folder, _: (folder / "throughput.png").touch()
    )


@pytest.fixture
def run(tmp_path, monkeypatch):
    """Compare a base with a head that has the changes, after a history of three commits."""
    monkeypatch.setattr(commits, "change_between", lambda *_, **__: change())
    monkeypatch.setattr(commits, "renews_baseline", lambda *_: False)
    folder = tmp_path / "asv"
    for day, commit in enumerate("123b"):
        asv(folder, commit, day, figures_of_asv(day))

    def compare(*options, **changes):
        asv(folder, "c", 9, figures_of_asv(9, **changes))
        result = CliRunner().invoke(
            main,
            ["compare", "base", "head", f"--results={folder}", f"--output={tmp_path / 'page'}",
             *options],
        )  # fmt: skip
        page = (tmp_path / "page" / "index.html").read_text()
        comment = (tmp_path / "page" / "comment.md").read_text()
        return result, page, comment

    return compare
