import pytest


@pytest.fixture
def without_plots(monkeypatch):
    """Pages without their plots, which take seconds to draw; one picture is an empty file."""
    monkeypatch.setattr("reports.pages.report.plots", lambda *_: ())
    monkeypatch.setattr(
        "reports.pages.report.write_plots", lambda folder, _: (folder / "throughput.png").touch()
    )
