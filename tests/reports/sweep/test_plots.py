"""The plots draw what was measured, beside what it is held against, and say what is missing."""

import pytest

from benchmarks.schema.suite import LOSSES, MESHES
from reports.sources.results import read_results
from reports.sweep.plots import plots
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
    for mesh, n_devices in MESHES.items():
        place = {"transform": "value_and_grad", "device": mesh}
        for n_cells in {65536, 8192 * n_devices}:
            n_bytes = 1e6 * n_cells / n_devices
            for metric, held in (("temp_bytes", n_bytes), ("communicated_bytes", n_devices - 1)):
                yield record("velocity", metric, held, n_cells=n_cells, **place)


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


def test_what_devices_hold_and_send_is_drawn_over_their_number(drawn):
    lines = drawn["scaling"]["velocity"].get_lines()
    held, held_weak, sent, _ = (
        dict(zip(line.get_xdata(), line.get_ydata(), strict=True)) for line in lines
    )
    assert held == {n: 65536 / n for n in (1, 2, 4, 8)}
    assert held_weak == dict.fromkeys((1, 2, 4, 8), 8192)
    assert sent == {n: (n - 1) / 1e6 for n in (2, 4, 8)}  # one device sends nothing
    assert words(drawn["scaling"]["shannon"]) == ["not measured"]
    assert [text.get_text() for text in drawn["memory"]["velocity"].texts] == ["not measured"]


def test_a_panel_says_why_a_curve_is_missing(drawn):
    memory = drawn["memory"]
    assert words(memory["simpson"]) == ["0 bytes"]
    assert words(memory["shannon"]) == ["value and gradient: 0 bytes"]
    assert words(memory["velocity"]) == ["not measured"]
    assert words(drawn["throughput"]["shannon"]) == []
