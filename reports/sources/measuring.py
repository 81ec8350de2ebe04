"""Run the benchmarks in processes of their own: nothing is measured in that of the reports."""

import os
import sys
from pathlib import Path
from typing import Any

from benchmarks.schema.children import run_child
from reports.sources.measurements import DamagedError

__all__ = ["run_benchmarks", "run_sweep"]


def run_benchmarks(name: str, *arguments: str, **options: Any) -> None:
    """Run a command of ``python -m benchmarks``.

    Args:
        name: the command's.
        arguments: of the command.
        options: of ``subprocess.run``.

    Raises:
        DamagedError: it did not finish.
    """
    command = [sys.executable, "-m", "benchmarks", name, *arguments]
    if run_child(command, **options).returncode:
        raise DamagedError(f"benchmarks {name} did not finish")


def run_sweep(path: Path, *options: str, tier: str = "standard") -> None:
    """Measure the whole catalog into a file.

    Args:
        path: the file.
        options: of ``python -m benchmarks sweep``.
        tier: chooses the sizes.

    Raises:
        DamagedError: the sweep did not finish.
    """
    environment = {**os.environ, "DIFFBIO_BENCH_TIER": tier}
    run_benchmarks("sweep", "--output", str(path), *options, env=environment)
