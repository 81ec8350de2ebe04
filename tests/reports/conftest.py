import pytest


@pytest.fixture
def without_pictures(monkeypatch):
    """Pages without their pictures, which take seconds to draw."""
    monkeypatch.setattr("reports.pages.render.pictures", lambda *_: ())
