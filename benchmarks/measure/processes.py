"""Worker processes that do not outlive the process that started them."""

import os
import signal
import threading
from multiprocessing import parent_process

__all__ = ["end_with_parent"]


def end_with_parent() -> None:
    """Initializer of a worker: the worker ends when its parent has ended in any way.

    Otherwise a worker whose parent was killed would finish its task for nobody, and then
    wait for work that nobody sends. An interrupt from the terminal reaches both processes;
    it ends the worker without a traceback.
    """
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    threading.Thread(target=_wait_for_the_end, daemon=True).start()


def _wait_for_the_end() -> None:
    parent = parent_process()
    assert parent is not None, "not a process that multiprocessing started"
    parent.join()
    os._exit(1)
