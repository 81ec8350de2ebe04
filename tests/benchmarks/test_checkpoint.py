"""The file of a sweep: never lost half-way, never mixed, never written by two."""

import errno
import json
import os
import random
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner

from benchmarks.__main__ import main
from benchmarks.catalog.cases import case
from benchmarks.measure.checkpoint import Checkpoint, Measured
from benchmarks.measure.sweep.measurement import measure_step
from benchmarks.measure.sweep.run import run_sweep
from benchmarks.measure.sweep.steps import Step
from benchmarks.schema.environment import JAX_SETTINGS
from benchmarks.schema.files import reserved
from benchmarks.schema.suite import DEVICES, TIER
from reports.sources.sweep_file import read_sweep
from tests.tiers import tiered

ROOT = Path(__file__).resolve().parents[2]
WRITER = """
import sys, time
from pathlib import Path
from benchmarks.measure.checkpoint import Checkpoint, Measured
from benchmarks.schema.files import reserved
steps = [str(at) for at in range(100)]
with reserved(Path(sys.argv[1])):
    checkpoint = Checkpoint(Path(sys.argv[1]), {}, steps)
    for step in checkpoint.unfinished:
        time.sleep(0.005)
        checkpoint.add(step, Measured([], digests={step: step}))
"""


@pytest.fixture
def short(monkeypatch):
    """A sweep of the cheapest loss in this process alone; the devices it measures, in order."""
    measured = []

    def watched(bench, step, wanted):
        measured.append(step.device)
        return measure_step(bench, step, wanted)

    monkeypatch.setattr("benchmarks.measure.sweep.run.measure_step", watched)
    for name in ("compare_processes", "measure_scaling"):
        monkeypatch.setattr(f"benchmarks.measure.sweep.run.{name}", lambda *_: Measured([]))
    return measured


def run_short(path, *cells, **options):
    run_sweep(path, cells or (64,), ["simpson"], real=False, **options)


def sweep_command(path):
    arguments = ["sweep", f"--output={path}", "--loss=simpson", "--n-cells=64"]
    return CliRunner().invoke(main, arguments)


def test_a_step_is_written_whole_or_not_at_all(tmp_path):
    path = tmp_path / "sweep.json"
    record = Step(case("shannon"), "cpu", "simulated", 256).record("value", "flops", 1.0)
    checkpoint = Checkpoint(path, {}, ["one", "two"])
    checkpoint.add("one", Measured([record]))
    before = path.read_text()
    assert json.loads(before)["records"][0]["metric"] == "flops"
    with pytest.raises(ValueError, match="JSON compliant"):
        checkpoint.add("two", Measured([replace(record, value=float("nan"))]))
    assert path.read_text() == before
    assert (checkpoint.unfinished, checkpoint.n_finished) == (["two"], 1)
    assert [p.name for p in tmp_path.iterdir()] == ["sweep.json"]


def test_an_interrupted_sweep_is_readable_and_goes_on(tmp_path, monkeypatch, short):
    path = tmp_path / "sweep.json"

    def interrupt(case):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("benchmarks.measure.sweep.run.check_gradient", interrupt)
        with pytest.raises(KeyboardInterrupt):
            run_short(path)
    assert short == list(DEVICES)
    partial = read_sweep(path)
    assert "interrupted: 1 of 7 steps were not measured" in str(partial.complaints[0])
    assert len(partial.numbers("call_seconds")) >= 2

    run_short(path)
    assert short == list(DEVICES)  # and not once more
    whole = read_sweep(path)
    assert whole.complaints == ()
    assert len(whole.frame) == len(partial.frame) + 1
    assert len(whole.v_curves) == 1


@pytest.mark.usefixtures("short")
def test_a_sweep_says_what_it_was_asked_to_measure(tmp_path):
    run_short(tmp_path / "sweep.json", 80, 64)
    said = read_sweep(tmp_path / "sweep.json").environment
    assert (said["tier"], said["losses"], said["n_cells"]) == (TIER, ["simpson"], [64, 80])


def test_another_sweep_or_a_finished_one_starts_over(tmp_path, short):
    path = tmp_path / "sweep.json"
    for n_cells in (64, 64, 80):
        run_short(path, n_cells)
    assert short == 3 * list(DEVICES)
    assert set(read_sweep(path).numbers("call_seconds")["n_cells"]) == {80}


@pytest.mark.parametrize(
    ("environment", "steps", "said"),
    [
        ({"machine": "b"}, ["one", "two"], "environment.machine is 'b', was 'a'"),
        ({"machine": "a", "cores": 2}, ["one", "two"], "environment.cores is 2, was not said"),
        ({"machine": "a"}, ["one"], "steps without two"),
        ({"machine": "a"}, ["one", "two", "three"], "steps with three"),
        ({"machine": "a", "date": "2"}, ["one", "two"], ""),
    ],
)
def test_only_the_same_steps_in_the_same_environment_go_on_and_what_differs_is_named(
    tmp_path, capsys, environment, steps, said
):
    path = tmp_path / "sweep.json"
    before = {"machine": "a", "date": "1"}
    Checkpoint(path, before, ["one", "two"]).add("one", Measured([]))
    assert capsys.readouterr().err == ""
    found = Checkpoint(path, {"date": "1", **environment}, steps)
    assert found.unfinished == (steps if said else ["two"])
    expected = f"{path}: starts over, since {said}\n" if said else ""
    assert capsys.readouterr().err == expected


def test_a_finished_run_starts_over_without_a_word(tmp_path, capsys):
    Checkpoint(tmp_path / "sweep.json", {"machine": "a"}, ["one"]).add("one", Measured([]))
    Checkpoint(tmp_path / "sweep.json", {"machine": "b"}, ["one"])
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize("how", tiered([signal.SIGKILL, signal.SIGINT], quick=[signal.SIGKILL]))
def test_whatever_the_moment_a_sweep_ends_at_the_next_one_takes_it_up(tmp_path, how):
    path = tmp_path / "sweep.json"
    command = [sys.executable, "-c", WRITER, str(path)]
    draw = random.Random(0)
    for _ in range(5):
        with subprocess.Popen(command, cwd=ROOT, stderr=subprocess.DEVNULL) as writer:
            time.sleep(draw.uniform(0.1, 0.3))
            writer.send_signal(how)
        if path.exists():
            json.loads(path.read_text())
    subprocess.run(command, cwd=ROOT, check=True)
    content = json.loads(path.read_text())
    assert content["unfinished"] == []
    assert content["data_digests"] == {str(at): str(at) for at in range(100)}


def test_two_sweeps_do_not_write_one_file(tmp_path, monkeypatch):
    monkeypatch.setattr("benchmarks.measure.sweep.run.measure_step", lambda *_, **__: 1 / 0)
    path = tmp_path / "sweep.json"
    with reserved(path):
        result = sweep_command(path)
    assert result.exit_code == 2
    assert result.stderr == f"{path}: another run is writing it\n"
    assert list(tmp_path.iterdir()) == []
    with reserved(path):  # which is free again
        pass


@pytest.mark.parametrize("option", ["--loss=shanon", "--n-cells=many"])
def test_what_is_not_accepted_is_named(option):
    result = CliRunner().invoke(main, ["sweep", option])
    assert (result.exit_code, option.partition("=")[2] in result.stderr) == (2, True)


def test_what_cannot_be_written_is_named_before_anything_is_measured(tmp_path, monkeypatch):
    monkeypatch.setattr("benchmarks.measure.sweep.run.measure_step", lambda *_, **__: 1 / 0)
    (tmp_path / "file").touch()
    result = sweep_command(tmp_path / "file" / "sweep.json")
    assert result.exit_code == 2
    assert result.stderr.count("\n") == 1
    assert str(tmp_path / "file" / "sweep.json") in result.stderr


def test_a_full_disk_is_named_once_and_the_old_file_stays(tmp_path, monkeypatch):
    path, old = tmp_path / "sweep.json", '{"schema_version": 5, "environment": {}, "records": []}'
    path.write_text(old)

    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("os.replace", full)
    monkeypatch.setattr("benchmarks.measure.sweep.run.measure_step", lambda *_, **__: Measured([]))
    result = sweep_command(path)
    assert (result.exit_code, result.stderr.count(str(path))) == (2, 1)
    assert "No space left on device" in result.stderr
    assert path.read_text() == old


def environment_with(**variables):
    """What a process of its own records of its environment."""
    script = (
        "import json; from benchmarks.measure.environment import environment;"
        "print(json.dumps(environment()))"
    )
    run = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, env={**os.environ, **variables},
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    return json.loads(run.stdout)


def test_the_environment_records_what_changes_the_numbers():
    usual = environment_with()
    other = environment_with(
        JAX_ENABLE_X64="1", JAX_DEFAULT_MATMUL_PRECISION="highest", JAX_DISABLE_JIT="1",
        JAX_DISABLE_MOST_OPTIMIZATIONS="1", OPENBLAS_CORETYPE="Nehalem",
    )  # fmt: skip
    differing = {name for name in usual if usual[name] != other[name]} - {"command", "date"}
    expected = set(JAX_SETTINGS)
    if any("openblas" in library for library in usual["blas"]):
        expected.add("blas")
    assert differing == expected


@pytest.mark.parametrize("n_measured", [0, 1])
def test_an_interrupt_says_whether_the_file_holds_anything(tmp_path, monkeypatch, n_measured):
    steps = iter([Measured([])] * n_measured)

    def interrupted(*_, **__):
        for measured in steps:
            return measured
        raise KeyboardInterrupt

    monkeypatch.setattr("benchmarks.measure.sweep.run.measure_step", interrupted)
    path = tmp_path / "sweep.json"
    result = sweep_command(path)
    said = f"{path} holds what was measured" if n_measured else "nothing was measured"
    assert (result.exit_code, path.exists()) == (2, bool(n_measured))
    assert f"interrupted; {said}" in result.stderr
