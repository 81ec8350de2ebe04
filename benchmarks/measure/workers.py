"""Processes that measure for another one, and do not outlive it."""

import multiprocessing
import os
import signal
import threading

__all__ = ["end_with_the_parent"]


def end_with_the_parent() -> None:
    """Make this worker end when its parent does, also where that is killed.

    A killed parent cannot tell its workers to stop, so a thread waits for its end. An
    interrupt from the terminal reaches both; it ends the worker without a traceback.
    """
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    threading.Thread(target=_wait_and_exit, daemon=True).start()


def _wait_and_exit() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)
