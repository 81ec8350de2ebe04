"""Every loss in several processes agrees with one process, and a process that dies is named."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import psutil
import pytest
from click.testing import CliRunner

from benchmarks.__main__ import main
from benchmarks.distributed.checks import Check, checks_of
from benchmarks.distributed.comparison import Comparison
from benchmarks.distributed.launcher import answers_of
from benchmarks.distributed.worker import together
from benchmarks.measure.sweep.accuracy import reference_errors, reference_results
from diffbio.training import fit
from tests.benchmarks.training import train
from tests.sharding.trainings import TRAININGS

ROOT = Path(__file__).resolve().parents[2]
# Means, sums of two kinds, and a search whose gradients travel.
SPREAD = ("batch_mixing", "compactness", "velocity")


def test_one_of_two_numbers_of_cells_is_a_multiple_of_the_devices():
    for n_cells in (64, 65, 67):
        counts = {check.n_cells for check in checks_of(["shannon"], n_cells, 4)}
        assert n_cells in counts
        assert sorted(count % 4 == 0 for count in counts) == [False, True]


def test_a_mask_is_the_same_in_every_process_and_counts_not_all_cells():
    check = Check("shannon", "float64", True, 67)
    first, second = check.inputs()["where"], check.inputs()["where"]
    assert first.tolist() == second.tolist()
    assert 0 < first.sum() < 67
    assert "where" not in check._replace(masked=False).inputs()


@pytest.mark.parametrize(
    ("dtype", "value_error", "gradient_error", "agrees"),
    [
        ("float32", 9e-7, 9e-6, True),
        ("float32", 2e-6, 0.0, False),
        ("float32", 0.0, 2e-5, False),
        ("float64", 9e-13, 9e-12, True),
        ("float64", 9e-7, 0.0, False),
        ("float64", 0.0, float("nan"), False),
    ],
)
def test_results_agree_up_to_the_tolerances_of_their_dtype(
    dtype, value_error, gradient_error, agrees
):
    check = Check("shannon", dtype, False, 64)
    assert Comparison(check, value_error, gradient_error).agrees is agrees


def test_an_unknown_loss_is_refused_before_anything_starts():
    found = CliRunner().invoke(main, ["distributed", "--loss", "shanon"])
    assert found.exit_code == 2
    assert "no loss 'shanon'" in found.output


@pytest.mark.slow
def test_two_processes_agree_with_the_reference():
    # NumPy's arrays, and arrays of which each process has its rows.
    checks = [Check("simpson", "float64", True, n_cells) for n_cells in (67, 68)]
    for check, found in zip(checks, answers_of(together, 2, 2, checks), strict=True):
        errors = reference_errors(reference_results(check.case, check.inputs()), *found)
        assert max(errors.values()) < 1e-12


def distributed(*arguments, **options):
    command = [sys.executable, "-m", "benchmarks", "distributed", *arguments]
    return subprocess.Popen(command, cwd=ROOT, stderr=subprocess.PIPE, text=True, **options)


@pytest.mark.slow
def test_losses_of_every_kind_agree(tmp_path, pytestconfig):
    programs = {"JAX_COMPILATION_CACHE_DIR": str(pytestconfig.cache.mkdir("jax"))}
    path = tmp_path / "found.json"
    losses = [f"--loss={loss}" for loss in SPREAD]
    with distributed(
        "--n-cells", "203", *losses, "--json", str(path), env={**os.environ, **programs}
    ) as run:
        _, said = run.communicate()
    assert run.returncode == 0, said
    rows = json.loads(path.read_text())["comparisons"]
    assert {row["loss"] for row in rows} == set(SPREAD)
    assert len(rows) == 8 * len(SPREAD)
    assert all(row["agrees"] for row in rows)


@pytest.mark.slow
def test_a_training_in_several_processes_has_the_losses_of_one_and_goes_on(tmp_path):
    name = "velocity model"
    options = {"batch_size": 30, "learning_rate": 1e-2, "progress": False}
    training = TRAININGS[name]
    expected = fit(
        training.model(), training.data, training.objective(None), n_steps=9, **options
    ).losses
    options["checkpoint"] = tmp_path
    for n_steps in (4, 9):
        (losses,) = answers_of(train, 2, name, {**options, "n_steps": n_steps})
        np.testing.assert_allclose(losses, expected[:n_steps], rtol=1e-5)


@pytest.fixture
def running():
    """The command in the midst of its work, and its two workers."""
    with distributed("--loss", "batch_mixing") as run:
        workers = _joined_workers(run)
        yield run, workers
        run.kill()  # its workers end with it


def _joined_workers(run):
    """Both workers, once they compute together: process 0 then listens for process 1."""
    command = psutil.Process(run.pid)
    while True:
        assert run.poll() is None, run.stderr.read()
        children = [child for child in command.children() if _is_worker(child)]
        if len(children) == 2 and all(child.net_connections() for child in children):
            time.sleep(1)
            return sorted(children, key=lambda child: child.pid)
        time.sleep(0.1)


def _is_worker(process):
    try:
        return "spawn_main" in " ".join(process.cmdline())
    except psutil.Error:
        return False


@pytest.mark.slow
@pytest.mark.parametrize("number", [0, 1])
def test_the_command_names_a_process_that_is_killed(running, number):
    run, workers = running
    killed_at = time.monotonic()
    os.kill(workers[number].pid, signal.SIGKILL)
    _, said = run.communicate(timeout=60)
    assert time.monotonic() - killed_at < 60
    assert run.returncode == 2
    assert f"process {number} of 2 (pid {workers[number].pid}) ended with exit code -9" in said
    assert not any(worker.is_running() for worker in workers)


@pytest.mark.slow
@pytest.mark.parametrize("number", [0, 1])
def test_a_process_ends_without_the_others_also_if_nobody_watches(running, number):
    run, workers = running
    run.send_signal(signal.SIGSTOP)
    os.kill(workers[number].pid, signal.SIGKILL)
    left = workers[1 - number]
    until = time.monotonic() + 60
    while left.status() != psutil.STATUS_ZOMBIE:  # nobody buries it
        assert time.monotonic() < until
        time.sleep(0.1)
