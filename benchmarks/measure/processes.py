"""Worker processes that do not outlive what started them."""

import os
import threading
from multiprocessing import parent_process

__all__ = ["end_with_parent"]


def end_with_parent() -> None:
    """Initializer of a worker: end it when its parent has ended, however it did.

    A worker waits for work that nobody will send once its parent is killed, and a long
    task would be finished for nobody.
    """
    threading.Thread(target=_wait_for_the_end, daemon=True).start()


def _wait_for_the_end() -> None:
    parent = parent_process()
    assert parent is not None, "not a process that multiprocessing started"
    parent.join()
    os._exit(1)
