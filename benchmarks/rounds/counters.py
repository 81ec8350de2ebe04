"""The deterministic figures of two sides, from a process of each."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from benchmarks.rounds.sides import PreparedSide

__all__ = ["count"]


def count(folder: Path, sides: Sequence[PreparedSide]) -> list[Path]:
    """Take the figures of both sides at once, since none depends on the load.

    Args:
        folder: gets a file a side, ``base.json`` and ``head.json``.
        sides: base and head.

    Raises:
        SideError: a process did not finish.
    """
    with ThreadPoolExecutor(len(sides)) as pool:
        return list(pool.map(lambda side: _counted(side, folder / f"{side.side}.json"), sides))


def _counted(side: PreparedSide, path: Path) -> Path:
    path.unlink(missing_ok=True)
    side.run("benchmarks.rounds.counting", str(path.resolve()))
    return path
