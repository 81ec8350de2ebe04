"""Processes that work together: their answers, and what becomes of the others when one ends."""

import os
import signal

import psutil
import pytest

from benchmarks.distributed.launcher import ProcessEndedError, answers_of
from tests.benchmarks.working import fail_in_process_1, squares, wait_for_ever


def workers():
    """The processes that a launcher started, in the order in which it did."""
    children = psutil.Process().children()
    started = [
        child
        for child in children
        if child.status() != psutil.STATUS_ZOMBIE and "spawn_main" in " ".join(child.cmdline())
    ]
    return sorted(started, key=lambda child: child.pid)


def test_the_answers_are_those_of_process_0_in_their_order():
    assert list(answers_of(squares, 3, range(5))) == [0, 1, 4, 9, 16]
    assert not workers()


@pytest.mark.parametrize("number", [0, 1])
def test_a_killed_process_is_named_and_the_others_are_ended(number, tmp_path):
    answers = answers_of(wait_for_ever, 2, tmp_path)
    next(answers)
    started = workers()
    killed = started[number]
    os.kill(killed.pid, signal.SIGKILL)
    message = (
        rf"process {number} of 2 \(pid {killed.pid}\) ended with exit code -9 \(SIGKILL\), "
        rf"its last line: process {number} waits; the other processes were ended"
    )
    with pytest.raises(ProcessEndedError, match=message):
        next(answers)
    assert not any(process.is_running() for process in started)


def test_a_process_that_fails_is_named_with_its_error():
    message = r"process 1 of 2 .* exit code 1, its last line: ArithmeticError: no such number;"
    # Whether process 0 answers before is chance.
    with pytest.raises(ProcessEndedError, match=message):
        list(answers_of(fail_in_process_1, 2))
    assert not workers()


def test_processes_do_not_outlive_the_iterator(tmp_path):
    answers = answers_of(wait_for_ever, 2, tmp_path)
    assert next(answers).address.startswith("127.0.0.1:")
    assert len(workers()) == 2
    answers.close()
    assert not workers()
