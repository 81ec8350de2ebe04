import pytest


@pytest.fixture
def without_plots(monkeypatch):
    """Pages without their plots, which take seconds to draw; one picture is an empty file."""
    monkeypatch.setattr("reports.sweep.page.plots", lambda *_: ())
    monkeypatch.setattr(
        "reports.sweep.page.write_plots", lambda folder, _: (folder / "throughput.png").touch()
    )
