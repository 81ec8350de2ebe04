"""Run a sweep in a process of its own: nothing that is measured runs in that of the reports."""

import os
import sys
from pathlib import Path

from benchmarks.schema.children import run_child
from reports.sources.measurements import DamagedError

__all__ = ["run_sweep"]


def run_sweep(path: Path, *options: str, tier: str = "standard") -> None:
    """Measure the whole catalog into a file.

    Args:
        path: the file.
        options: of ``python -m benchmarks sweep``.
        tier: chooses the sizes.

    Raises:
        DamagedError: the sweep did not finish.
    """
    command = [sys.executable, "-m", "benchmarks", "sweep", "--output", str(path), *options]
    if run_child(command, env={**os.environ, "DIFFBIO_BENCH_TIER": tier}).returncode:
        raise DamagedError("the sweep did not finish")
