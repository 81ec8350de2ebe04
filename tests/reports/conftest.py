import pytest


@pytest.fixture
def without_plots(monkeypatch):
    """Pages without their plots, which take seconds to draw."""
    monkeypatch.setattr("reports.pages.render.plots", lambda *_: ())
