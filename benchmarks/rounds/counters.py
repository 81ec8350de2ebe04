"""The deterministic figures of two sides, from a sweep of each without times."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from benchmarks.rounds.sides import PreparedSide
from benchmarks.schema.rounds import SideError

__all__ = ["count"]


def count(folder: Path, sides: Sequence[PreparedSide]) -> list[Path]:
    """Run a sweep a side, both at once, since no figure of theirs depends on the load.

    Args:
        folder: gets a sweep's file a side, ``base.json`` and ``head.json``.
        sides: base and head.

    Raises:
        SideError: a sweep did not finish.
    """
    with ThreadPoolExecutor(len(sides)) as pool:
        return list(pool.map(lambda side: _swept(side, folder / f"{side.side}.json"), sides))


def _swept(side: PreparedSide, path: Path) -> Path:
    found = side.run("benchmarks", "sweep", "--deterministic", "--output", str(path.resolve()))
    if found.returncode:
        said = found.stderr.strip().splitlines() or ["it said nothing"]
        raise SideError(f"{side.side} {side.commit[:8]}: the sweep did not finish: {said[-1]}")
    return path
