"""The report says what the records say, and complains about records that say nothing."""

import json
import re

import pytest
from click.testing import CliRunner

from benchmarks.names import LOSSES
from benchmarks.records import METRICS, Record, write_sweep
from reports.__main__ import main

ENVIRONMENT = {
    "date": "2026-01-01T00:00:00+00:00",
    "command": "python -m benchmarks sweep",
    "commit": "0" * 40,
    "dirty": False,
    "os": "Linux",
    "cpu": "A processor",
    "architecture": "x86_64",
    "vector_extensions": ["avx2"],
    "cores": 2,
    "memory_bytes": 2**34,
    "python": "3.11.7",
    "packages": {"jax": "0.10.2"},
    "xla_flags": "",
    "devices": ["cpu: cpu"],
}


def record(
    loss, metric, value, *, transform="value_and_grad", cells="simulated", n_cells=256, **more
):
    return Record(
        f"{loss}:{transform}",
        loss,
        transform,
        cells,
        n_cells,
        "float32",
        "cpu",
        metric,
        value,
        **more,
    )


def all_records(**changed):
    for loss in LOSSES:
        for metric in ("trace_seconds", "lower_seconds", "compile_seconds", "temp_bytes"):
            yield record(loss, metric, 1.5)
        for n_cells in (256, 1024):
            for metric in ("call_seconds", "cells_per_second"):
                yield record(loss, metric, 2.0, n_cells=n_cells)
        for cells in ("simulated", "real"):
            yield record(loss, "value_error", changed.get(loss, 1e-7), cells=cells)
            yield record(loss, "gradient_error", 1e-6, cells=cells)
        yield record(loss, "finite_difference_error", 1e-9)
    yield record("velocity", "call_seconds", None, status="skipped", detail="no gpu here")


def build(tmp_path, records, environment=ENVIRONMENT):
    curves = [{"loss": loss, "steps": [1e-2, 1e-4], "errors": [1e-3, 1e-9]} for loss in LOSSES]
    ratios = [
        {
            "loss": loss,
            "transform": "value",
            "n_cells": 256,
            "other": "limit: search",
            "ours_seconds": 0.003,
            "other_seconds": 0.002,
            "ratio": 1.5,
            "ratio_low": 1.25,
            "ratio_high": 1.75,
            "temp_bytes": 10**6,
            "input_bytes": 10**6,
            "n_rounds": 9,
        }
        for loss in LOSSES
    ]
    path = tmp_path / "sweep.json"
    write_sweep(path, environment, {"cells": "ab"}, list(records), curves, ratios)
    return run(tmp_path)


def run(tmp_path):
    arguments = [
        "build",
        "--results",
        str(tmp_path / "sweep.json"),
        "--output",
        str(tmp_path / "r"),
    ]
    return CliRunner().invoke(main, arguments)


def test_page_markdown_pictures_and_data_are_written(tmp_path):
    result = build(tmp_path, all_records())
    assert result.exit_code == 0, result.output
    assert str(tmp_path / "r" / "index.html") in result.output
    assert f"All {len(LOSSES)} losses agree" in result.output
    page = (tmp_path / "r" / "index.html").read_text()
    for text in (*LOSSES, "A processor", "no gpu here", "simulated and real cells"):
        assert text in page
    assert page.count("<svg") == 5
    links = re.findall(r'(?:src|href)="([^"]+)"', page)
    assert not [link for link in links if link.startswith(("http", "//"))]
    assert "<script" not in page
    names = {p.name for p in (tmp_path / "r").iterdir()}
    drawn = ("limits", "throughput", "memory", "compile", "v-curves")
    pictures = {f"{name}.{extension}" for name in drawn for extension in ("svg", "png")}
    data = {"measurements.csv", "v-curves.csv", "ratios.csv", "sweep.json"}
    assert names == {"index.html", "report.md", *data, *pictures}
    assert "| shannon | 1.0e-07 |" in (tmp_path / "r" / "report.md").read_text()


def test_losses_that_do_not_agree_or_were_not_measured_are_named_and_fail(tmp_path):
    records = [r for r in all_records(simpson=1e-3) if r.loss != "shannon"]
    failed = record("shannon", "call_seconds", None, status="failed", detail="ValueError: no")
    result = build(tmp_path, [*records, failed])
    assert result.exit_code == 1
    assert f"{len(LOSSES) - 2} of {len(LOSSES)} losses agree" in result.output
    assert "not shown to agree: shannon, simpson; failed benchmarks: 1" in result.output
    assert "ValueError: no" in (tmp_path / "r" / "index.html").read_text()


@pytest.mark.parametrize(
    "content", ["", "{", "[]", "null", '{"schema_version": 1}', '{"schema_version": 99}']
)
def test_damaged_results_are_named_and_nothing_is_overwritten(tmp_path, content):
    page = tmp_path / "r" / "index.html"
    page.parent.mkdir()
    page.write_text("an earlier report")
    (tmp_path / "sweep.json").write_text(content)
    result = run(tmp_path)
    assert result.exit_code == 2
    assert "sweep.json" in result.output
    assert page.read_text() == "an earlier report"


def test_absent_and_empty_results_are_errors(tmp_path):
    result = run(tmp_path)
    assert (result.exit_code, "sweep.json" in result.output) == (2, True)
    result = build(tmp_path, [])
    assert (result.exit_code, "nothing was measured" in result.output) == (2, True)


def test_every_metric_has_a_unit_and_a_direction():
    assert {metric.better for metric in METRICS.values()} <= {"lower", "higher", "equal"}
    assert all(metric.unit for metric in METRICS.values())
    json.dumps({name: metric._asdict() for name, metric in METRICS.items()})
