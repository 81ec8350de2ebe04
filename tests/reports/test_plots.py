"""The plots draw what was measured, beside what it is held against, and say what is missing."""

import pytest

from benchmarks.schema.suite import LOSSES
from reports.pages.plots import plots
from reports.sources.results import read_results
from tests.reports.written import record, sweep

BOUNDS = {"value": 0.25, "value_and_grad": 0.5}


def records():
    for transform, bound in BOUNDS.items():
        for n_cells in (256, 1024):
            place = {"transform": transform, "n_cells": n_cells}
            yield record("shannon", "call_seconds", 4 * bound * n_cells, **place)
            yield record("shannon", "lower_bound_seconds", bound * n_cells, **place)
            yield record("shannon", "temp_bytes", n_cells if transform == "value" else 0, **place)
            yield record("simpson", "temp_bytes", 0, **place)


@pytest.fixture(scope="module")
def drawn(tmp_path_factory):
    """The panels by plot and loss."""
    path = tmp_path_factory.mktemp("plots") / "sweep.json"
    found = plots(read_results([sweep(path, records())]), [])
    return {plot.name: dict(zip(LOSSES, plot.figure.axes, strict=False)) for plot in found}


def words(panel):
    return [text.get_text() for text in panel.texts]


def test_each_curve_has_the_lower_bound_of_its_own_transform(drawn):
    lines = drawn["throughput"]["shannon"].get_lines()
    heights = {line.get_label(): line.get_ydata()[0] / (256 * 1000) for line in lines}
    assert heights == {
        "value": 1,
        "value and gradient": 2,
        "lower bound of value": BOUNDS["value"],
        "lower bound of value and gradient": BOUNDS["value_and_grad"],
    }
    colours = {line.get_label(): line.get_color() for line in lines}
    for label in ("value", "value and gradient"):
        assert colours[label] == colours[f"lower bound of {label}"]


def test_a_panel_says_why_a_curve_is_missing(drawn):
    memory = drawn["memory"]
    assert words(memory["simpson"]) == ["0 bytes"]
    assert words(memory["shannon"]) == ["value and gradient: 0 bytes"]
    assert words(memory["velocity"]) == ["not measured"]
    assert words(drawn["throughput"]["shannon"]) == []
