"""The deterministic figures of two sides, from a process of each, into one file."""

import json
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from benchmarks.rounds.sides import PreparedSide
from benchmarks.schema.files import write_json
from benchmarks.schema.rounds import ROUNDS_VERSION

__all__ = ["count"]


def count(path: Path, sides: Sequence[PreparedSide]) -> None:
    """Take the figures of both sides at once, since none depends on the load.

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
        "sides": {side.side: side.described for side in sides},
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
