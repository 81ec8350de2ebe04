"""What fails is recorded by name, the rest is measured, and no verdict passes over it."""

import itertools
import json
from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from click.testing import CliRunner

from benchmarks.catalog import real
from benchmarks.catalog.cases import case
from benchmarks.catalog.real import REAL_CELLS
from benchmarks.measure.checkpoint import Measured
from benchmarks.measure.sweep.accuracy import reference_errors
from benchmarks.measure.sweep.measurement import Wanted, measure_step
from benchmarks.measure.sweep.run import run_sweep
from benchmarks.measure.sweep.steps import Step
from benchmarks.measure.sweep.timing import measure_times
from benchmarks.measure.sweep.workbench import Workbench
from diffbio.datasets import OfflineError
from reports.__main__ import main
from reports.gate import baseline

LOSSES = ("shannon", "simpson")


def planted(name, change):
    """A case of the catalog whose loss is changed, given the loss and the arrays."""
    catalogued = case(name)
    return replace(catalogued, loss=lambda **arrays: change(catalogued.loss(**arrays), arrays))


@pytest.fixture
def sweep_with(monkeypatch, tmp_path):
    """Sweep two losses, the second of them planted, in this process alone."""
    monkeypatch.setattr("benchmarks.measure.sweep.run.compare_processes", lambda *_: Measured([]))
    monkeypatch.setattr(baseline, "_FOLDER", tmp_path / "baselines")

    def sweep(name, change):
        path = tmp_path / f"{name}.json"
        catalog = (case("shannon"), planted("simpson", change))
        with monkeypatch.context() as patch:
            patch.setattr("benchmarks.catalog.cases.CATALOG", catalog)
            run_sweep(path, (64,), LOSSES, real=False)
        return path

    return sweep


@pytest.mark.slow
def test_a_loss_that_is_nan_fails_by_name_and_the_sweep_goes_on(sweep_with, tmp_path):
    sound = sweep_with("sound", lambda value, _: value)
    path = sweep_with("nan", lambda value, _: value * jnp.nan)
    content = json.loads(path.read_text())
    assert content["unfinished"] == []
    failed = {
        (r["benchmark"], r["metric"], r["detail"])
        for r in content["records"]
        if r["status"] == "failed"
    }
    value, gradient = "simpson:value", "simpson:value_and_grad"
    errors = ("value_error", "gradient_error", "finite_difference_error")
    assert failed == {
        *((program, "value", "the value is nan") for program in (value, gradient)),
        (value, "value_error", "the value_error is nan"),
        *((gradient, error, f"the {error} is nan") for error in errors),
    }
    assert [curve["loss"] for curve in content["v_curves"]] == ["shannon"]
    timed = {r["benchmark"] for r in content["records"] if r["metric"] == "call_seconds"}
    assert {value, gradient, "shannon:value"} <= timed

    report = run("build", path, f"--output={tmp_path / 'page'}")
    assert (report.exit_code, "simpson" in report.output) == (1, True)
    assert "the value is nan" in (tmp_path / "page" / "index.html").read_text()
    assert run("baseline", sound).exit_code == 0
    gate = run("gate", path)
    assert (gate.exit_code, "simpson:value_and_grad" in gate.output) == (1, True), gate.output
    assert run("gate", sound).exit_code == 0


def run(command, path, *options):
    return CliRunner().invoke(main, [command, f"--results={path}", *options])


def test_a_gradient_that_is_nan_is_not_hidden_by_another():
    zeros = {"a": np.zeros(3), "b": np.zeros(3)}
    for name in zeros:
        found = reference_errors((0.0, zeros), 0.0, {**zeros, name: np.full(3, np.nan)})
        assert np.isnan(found["gradient_error"]), name


def test_bits_are_compared_at_every_size():
    counter = itertools.count()

    def restless(value, arrays):
        """Another value in every call on more than 1000 cells."""
        if len(arrays["assignments"]) <= 1000:
            return value
        return value + jax.pure_callback(
            lambda: np.float32(next(counter)), jax.ShapeDtypeStruct((), np.float32)
        )

    entry = planted("simpson", restless)
    for n_cells, differing in ((64, 0), (1100, 1)):
        step = Step(entry, "cpu", "simulated", n_cells)
        found = {
            (record.transform, record.metric): record.value
            for record in measure_step(Workbench(), step, Wanted(retraces=False)).records
        }
        for transform in ("value", "value_and_grad"):
            assert found[transform, "differing_repeats"] == differing, n_cells


def test_blocks_are_compared_at_the_smallest_size_and_the_largest_that_is_checked(
    monkeypatch, tmp_path
):
    asked = []

    def watched(bench, step, wanted):
        asked.append((step.device, step.n_cells, wanted.retraces, wanted.other_blocks))
        assert wanted.times
        return Measured([])

    monkeypatch.setattr("benchmarks.measure.sweep.run.measure_step", watched)
    for name in ("compare_processes", "measure_times"):
        monkeypatch.setattr(f"benchmarks.measure.sweep.run.{name}", lambda *_: Measured([]))
    sizes = (256, 4096, 16384, 65536)
    run_sweep(tmp_path / "sweep.json", sizes, ["simpson"], real=True)
    on_cpu = [rest for device, *rest in asked if device == "cpu"]
    assert on_cpu == [
        [256, True, True],
        [4096, False, False],
        [16384, False, True],
        [65536, False, False],
        [200, False, False],
        [700, False, False],
        [3704, False, False],
    ]


def test_a_sweep_without_times_times_nothing(monkeypatch, tmp_path):
    def watched(bench, step, wanted):
        assert not wanted.times
        return Measured([])

    def timed(*_):
        raise AssertionError("calls are timed")

    monkeypatch.setattr("benchmarks.measure.sweep.run.measure_step", watched)
    monkeypatch.setattr("benchmarks.measure.sweep.run.compare_processes", lambda *_: Measured([]))
    monkeypatch.setattr("benchmarks.measure.sweep.run.measure_times", timed)
    run_sweep(tmp_path / "sweep.json", [64], ["simpson"], real=False, times=False)
    steps = json.loads((tmp_path / "sweep.json").read_bytes())["steps"]
    assert not [step for step in steps if step.startswith("times")]


def test_a_measurement_that_raises_fails_alone(monkeypatch):
    monkeypatch.setattr("benchmarks.measure.sweep.measurement.compile_warm", lambda _: 1 / 0)
    records = measure_step(Workbench(), Step(case("simpson"), "cpu", "simulated", 64)).records
    failed = [(r.transform, r.metric) for r in records if r.status == "failed"]
    assert failed == [(t, "warm_compile_seconds") for t in ("value", "value_and_grad")]
    assert {"value", "value_error", "retraces"} <= {r.metric for r in records if r.status == "ok"}


def test_a_data_set_that_cannot_be_had_is_asked_for_once_and_fails_by_name(monkeypatch):
    asked = []

    def offline():
        asked.append(1)
        raise OfflineError("dentate_gyrus(): no network")

    monkeypatch.setitem(REAL_CELLS, 200, REAL_CELLS[200]._replace(load=offline))
    real._attempt.cache_clear()
    try:
        steps = [Step(case(name), "cpu", "real", 200) for name in ("simpson", "shannon")]
        bench = Workbench()
        measured = [measure_step(bench, step) for step in steps] + [measure_times(bench, steps)]
    finally:
        real._attempt.cache_clear()
    assert asked == [1]
    for records in (found.records for found in measured):
        assert records
        assert {record.status for record in records} == {"failed"}
        assert all("no network" in record.detail for record in records)
