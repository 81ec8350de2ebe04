"""The file that a sweep fills step by step: complete and readable whenever it is interrupted."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from benchmarks.schema.files import write_json
from benchmarks.schema.records import SCHEMA_VERSION, Ratio, Record

__all__ = ["Measured", "Sheet"]

# What of an environment may differ between two runs of one sweep.
_FREE = ("date", "command")


class Measured(NamedTuple):
    """What a step yields: records, and whatever stands beside them on the page."""

    records: Sequence[Record]
    ratios: Sequence[Ratio] = ()
    v_curves: Sequence[Mapping[str, Any]] = ()
    digests: Mapping[str, str] = {}
    claims: Sequence[Mapping[str, Any]] = ()


class Sheet:
    """What was measured so far, and which steps are left.

    An interrupted sweep of the same steps, by the same code in the same environment, is
    taken up where it stopped; anything else in the file is replaced.
    """

    def __init__(self, path: Path, environment: Mapping[str, Any], steps: Sequence[str]) -> None:
        self._path = path
        earlier = _read(path)
        if _goes_on(earlier, environment, steps):
            self._content = earlier
        else:
            self._content = {
                "schema_version": SCHEMA_VERSION,
                "environment": dict(environment),
                "steps": list(steps),
                "unfinished": list(steps),
                "data_digests": {},
                "records": [],
                "v_curves": [],
                "ratios": [],
                "claims": [],
            }

    @property
    def unfinished(self) -> list[str]:
        """The steps that are left."""
        return list(self._content["unfinished"])

    def add(self, step: str, measured: Measured) -> None:
        """Write down what a step yielded; the file is then whole again."""
        self._content["records"] += [record.row() for record in measured.records]
        self._content["ratios"] += [ratio._asdict() for ratio in measured.ratios]
        self._content["v_curves"] += measured.v_curves
        self._content["claims"] += measured.claims
        self._content["data_digests"].update(measured.digests)
        self._content["unfinished"].remove(step)
        write_json(self._path, self._content)


def _read(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(path.read_text())
    except (OSError, ValueError):
        return {}
    return content if isinstance(content, dict) else {}


def _goes_on(
    earlier: Mapping[str, Any], environment: Mapping[str, Any], steps: Sequence[str]
) -> bool:
    """Whether the file holds a part of this very sweep."""
    if earlier.get("schema_version") != SCHEMA_VERSION or not earlier.get("unfinished"):
        return False
    then = earlier["environment"]
    same = all(then.get(name) == environment[name] for name in environment if name not in _FREE)
    return same and earlier["steps"] == list(steps)
