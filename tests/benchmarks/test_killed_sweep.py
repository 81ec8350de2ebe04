"""Processes that measure for a sweep end with it, also when it is killed."""

import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

ROOT = Path(__file__).resolve().parents[2]
ENDLESS = """
import itertools
from benchmarks.catalog.cases import case
from benchmarks.measure.determinism import compare_processes
from benchmarks.measure.steps import Step
from benchmarks.measure.workbench import Workbench

def steps():
    for n_compared in itertools.count():
        print(n_compared, flush=True)
        yield Step(case("simpson"), "cpu", "simulated", 64)

compare_processes(Workbench(), steps())
"""


def is_alive(process):
    """Whether it runs; an orphan that nobody has buried yet does not."""
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


@pytest.mark.skipif(sys.platform != "linux", reason="finds the worker by its command line")
def test_the_worker_of_a_killed_sweep_ends():
    with subprocess.Popen(
        [sys.executable, "-c", ENDLESS], cwd=ROOT, stdout=subprocess.PIPE, text=True
    ) as sweep:
        assert [sweep.stdout.readline() for _ in range(3)] == ["0\n", "1\n", "2\n"]
        children = psutil.Process(sweep.pid).children()
        assert any("spawn_main" in " ".join(child.cmdline()) for child in children)
        sweep.kill()
    until = time.monotonic() + 20
    while (left := [c for c in children if is_alive(c)]) and time.monotonic() < until:
        time.sleep(0.1)
    for child in left:
        child.kill()
    assert not left
