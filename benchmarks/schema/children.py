"""Commands that another command runs: they end with it, however it ends."""

import os
import subprocess
import threading
from collections.abc import Sequence
from typing import Any

__all__ = ["end_with_caller", "run_child"]

# Holds the number of the pipe's end that a child reads.
_PIPE = "DIFFBIO_BENCH_CALLER"


def run_child(command: Sequence[str], **options: Any) -> "subprocess.CompletedProcess[Any]":
    """``subprocess.run`` for a command that calls :func:`end_with_caller`.

    The child reads a pipe to which nothing is written. The system closes the other end when this
    process ends, also when it is killed.
    """
    reading, writing = os.pipe()
    environment = {**options.pop("env", os.environ), _PIPE: str(reading)}
    try:
        return subprocess.run(command, env=environment, pass_fds=[reading], **options)
    finally:
        os.close(reading)
        os.close(writing)


def end_with_caller() -> None:
    """End this process when the one that ran it by :func:`run_child` has ended in any way.

    Otherwise it would measure on for nobody, and keep its file locked.
    """
    if pipe := os.environ.pop(_PIPE, None):
        threading.Thread(target=_wait_for_the_end, args=[int(pipe)], daemon=True).start()


def _wait_for_the_end(pipe: int) -> None:
    os.read(pipe, 1)
    os._exit(1)
