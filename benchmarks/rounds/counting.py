"""The counters of two sides, from a process of each, into one file; and that process.

The module keeps its name, as ``process`` and ``schema.rounds`` do: a side runs its own suite,
which may be older.
"""

import json
import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from benchmarks.measure.sweep.run import run_counters
from benchmarks.rounds.sides import PreparedSide
from benchmarks.schema.children import end_with_caller
from benchmarks.schema.files import write_json
from benchmarks.schema.rounds import CALLED_CELLS, ROUNDS_VERSION

__all__ = ["count"]


def count(path: Path, sides: Sequence[PreparedSide]) -> None:
    """Take the counters of both sides at once, since none depends on the load.

    Args:
        path: the JSON file: what the sides are, and a sweep of each.
        sides: base and head.

    Raises:
        SideError: a process did not finish.
        UnwritableError: the file cannot be written.
    """
    with ThreadPoolExecutor(len(sides)) as pool:
        sweeps = list(pool.map(_counted, sides))
    content = {
        "rounds_version": ROUNDS_VERSION,
        "sides": {side.side: side.description for side in sides},
        "sweeps": {side.side: sweep for side, sweep in zip(sides, sweeps, strict=True)},
    }
    write_json(path, content)


def _counted(side: PreparedSide) -> dict[str, Any]:
    """The sweep of a side; its suite is a copy that cannot know of which commit it is."""
    path = side.folder / "counters.json"
    path.unlink(missing_ok=True)
    side.run("benchmarks.rounds.counting", str(path.resolve()))
    sweep: dict[str, Any] = json.loads(path.read_bytes())
    sweep["environment"] |= {"commit": side.commit, "dirty": False, "changes": None}
    return sweep


if __name__ == "__main__":
    end_with_caller()
    run_counters(Path(sys.argv[1]), CALLED_CELLS)
