"""Processes that were forked off one in which JAX works: there JAX would wait for ever.

A fork copies the memory of a process but none of its threads. JAX's would never answer. This file
imports nothing of JAX, and is imported with the package: before a fork, not after it.
"""

import os
import sys

__all__ = ["refuse_after_fork"]

_useless = False


def refuse_after_fork() -> None:
    """Raise in a process that inherited JAX's backends without their threads.

    Raises:
        RuntimeError: says how to start the process instead.
    """
    if _useless:
        raise RuntimeError(
            "this process was forked after JAX was used, and JAX would hang in it: a fork has none "
            'of its threads. Start the process by "spawn" instead, as in '
            'DataLoader(..., multiprocessing_context="spawn") or '
            'multiprocessing.get_context("spawn")'
        )


def _note_fork() -> None:
    """Note in a new process whether JAX was used before it; no lock of JAX's is taken."""
    global _useless
    bridge = sys.modules.get("jax._src.xla_bridge")
    _useless = _useless or bool(getattr(bridge, "_backends", None))


# Windows has no forks.
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_note_fork)
