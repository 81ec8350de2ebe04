"""Workers end with the process that started them."""

import os
import signal
import subprocess
import sys
import time

import psutil
import pytest

PARENT = """
import os, time
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from benchmarks.measure.processes import end_with_parent

if __name__ == "__main__":
    context = get_context("spawn")
    with ProcessPoolExecutor(1, mp_context=context, initializer=end_with_parent) as workers:
        print(workers.submit(os.getpid).result(), flush=True)
        workers.submit(time.sleep, 600).result()
"""


def test_a_worker_ends_when_its_parent_is_killed(tmp_path):
    script = tmp_path / "parent.py"
    script.write_text(PARENT)
    environment = {**os.environ, "PYTHONPATH": os.getcwd()}
    parent = subprocess.Popen(
        [sys.executable, script], stdout=subprocess.PIPE, text=True, env=environment
    )
    worker = psutil.Process(int(parent.stdout.readline()))
    assert worker.is_running()
    parent.send_signal(signal.SIGKILL)
    parent.wait()
    try:
        assert ended_within(worker, seconds=10)
    finally:
        if worker.is_running():
            worker.kill()


def ended_within(process, seconds):
    """Whether a process that nobody waits for has ended, as a zombie at most."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        if not process.is_running() or process.status() == psutil.STATUS_ZOMBIE:
            return True
        time.sleep(0.05)
    return False


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


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_a_command_that_another_one_runs_ends_with_it(how):
    caller = subprocess.Popen(
        [sys.executable, "-c", CALLER, CALLED], stdout=subprocess.PIPE, text=True
    )
    called = psutil.Process(int(caller.stdout.readline()))
    caller.send_signal(how)
    try:
        assert ended_within(called, seconds=10)
    finally:
        if called.is_running():
            called.kill()
        caller.wait()


def test_a_command_that_nobody_runs_as_a_child_goes_on():
    script = CALLED.replace("time.sleep(600)", "time.sleep(0.5); print('done')")
    found = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert found.stdout.endswith("done\n")
