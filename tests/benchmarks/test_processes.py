"""Processes that measure for another one end with it, also when it is killed."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from benchmarks.schema.files import reserved
from tests.tiers import tiered

ROOT = Path(__file__).resolve().parents[2]
ENDLESS = """
import itertools
from benchmarks.catalog.cases import case
from benchmarks.measure.sweep.determinism import compare_processes
from benchmarks.measure.sweep.steps import Step
from benchmarks.measure.sweep.workbench import Workbench

def steps():
    for n_compared in itertools.count():
        print(n_compared, flush=True)
        yield Step(case("simpson"), "cpu", "simulated", 64)

compare_processes(Workbench(), steps())
"""
# A shell's background processes ignore the signal of the keyboard, and so do theirs.
CALLER = """
import signal, sys
signal.signal(signal.SIGINT, signal.default_int_handler)
from benchmarks.schema.children import run_child
run_child([sys.executable, "-c", sys.argv[1]])
"""
CALLED = """
import os, sys, time
from benchmarks.schema.children import end_with_caller
end_with_caller()
print(os.getpid(), flush=True)
time.sleep(600)
"""


def within(seconds, is_so):
    until = time.monotonic() + seconds
    while not is_so() and time.monotonic() < until:
        time.sleep(0.05)
    return is_so()


def is_alive(process):
    """Whether it runs; an orphan that nobody has buried yet does not."""
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def assert_ended(processes):
    """All of them end by themselves; whatever is left is killed."""
    try:
        assert within(20, lambda: not any(map(is_alive, processes)))
    finally:
        for process in filter(is_alive, processes):
            process.kill()


@pytest.mark.skipif(sys.platform != "linux", reason="finds the worker by its command line")
def test_the_worker_of_a_killed_sweep_ends():
    with subprocess.Popen(
        [sys.executable, "-c", ENDLESS], cwd=ROOT, stdout=subprocess.PIPE, text=True
    ) as sweep:
        assert [sweep.stdout.readline() for _ in range(3)] == ["0\n", "1\n", "2\n"]
        children = psutil.Process(sweep.pid).children()
        assert any("spawn_main" in " ".join(child.cmdline()) for child in children)
        sweep.kill()
    assert_ended(children)


@pytest.mark.parametrize("how", tiered([signal.SIGTERM, signal.SIGKILL], quick=[signal.SIGTERM]))
def test_the_sweep_of_a_gate_that_ends_ends_and_leaves_its_file_to_others(tmp_path, how):
    gate = subprocess.Popen(
        [sys.executable, "-m", "reports", "gate", "--tier=smoke"],
        cwd=tmp_path, env={**os.environ, "PYTHONPATH": str(ROOT)},
        stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    path = tmp_path / "results" / "smoke.json"
    assert within(60, path.with_name("smoke.json.lock").exists)
    started = psutil.Process(gate.pid).children(recursive=True)
    assert started
    gate.send_signal(how)
    assert_ended(started)
    said = gate.communicate()[1]
    if how == signal.SIGTERM:
        assert (gate.returncode, said.endswith("interrupted\n")) == (2, True), said
    with reserved(path):
        pass


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_a_command_that_another_one_runs_ends_with_it(how):
    with subprocess.Popen(
        [sys.executable, "-c", CALLER, CALLED], stdout=subprocess.PIPE, text=True
    ) as caller:
        called = psutil.Process(int(caller.stdout.readline()))
        caller.send_signal(how)
        assert_ended([called])


def test_a_command_that_nobody_runs_as_a_child_goes_on():
    script = CALLED.replace("time.sleep(600)", "time.sleep(0.5); print('done')")
    found = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert found.stdout.endswith("done\n")
