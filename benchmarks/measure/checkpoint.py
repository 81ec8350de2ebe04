"""A file that a run fills step by step: complete and readable whenever it is interrupted."""

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import click

from benchmarks.schema.differences import differing
from benchmarks.schema.files import write_json
from benchmarks.schema.records import SCHEMA_VERSION, Ratio, Record

__all__ = ["Checkpoint", "Measured", "Parts", "interruptible"]

# Lists that grow by rows, and mappings that grow by names.
Parts = Mapping[str, Sequence[Any] | Mapping[str, Any]]

# These parts of the environment may differ when a run goes on. "changes" holds the state of
# the code; "dirty" also counts files that are not code.
_FREE = ("date", "command", "dirty")


class Yield(Protocol):
    """What a step yields, by the name of the list or mapping that it is added to."""

    def parts(self) -> Parts:
        """The rows and names."""
        ...


class Measured(NamedTuple):
    """What a step of a sweep yields: records, and whatever stands beside them on the page."""

    records: Sequence[Record]
    ratios: Sequence[Ratio] = ()
    v_curves: Sequence[Mapping[str, Any]] = ()
    digests: Mapping[str, str] = {}

    def parts(self) -> Parts:
        """The rows and names, as the file holds them."""
        return {
            "data_digests": self.digests,
            "records": [record.row() for record in self.records],
            "v_curves": self.v_curves,
            "ratios": [ratio.row() for ratio in self.ratios],
        }


class Checkpoint:
    """What was measured so far, and which steps are left.

    An interrupted run of the same steps, by the same code in the same environment, goes on where
    it stopped. The first step replaces anything else in the file. If that is an interrupted run
    too, the standard error says what differs.
    """

    def __init__(
        self,
        path: Path,
        environment: Mapping[str, Any],
        steps: Sequence[str],
        *,
        version: int = SCHEMA_VERSION,
        empty: Parts | None = None,
    ) -> None:
        self._path = path
        earlier = _read(path)
        header = {"schema_version": version, "environment": dict(environment)}
        differences = _differences(earlier, {**header, "steps": list(steps)})
        if earlier.get("unfinished") and not differences:
            self._content = earlier
        else:
            if earlier.get("unfinished"):
                click.echo(f"{path}: starts over, since {'; '.join(differences)}", err=True)
            parts = Measured([]).parts() if empty is None else empty
            left = {"steps": list(steps), "unfinished": list(steps)}
            self._content = {**header, **left, **parts}

    @property
    def unfinished(self) -> list[str]:
        """The steps that are left."""
        return list(self._content["unfinished"])

    @property
    def n_finished(self) -> int:
        """How many steps the file holds."""
        return len(self._content["steps"]) - len(self._content["unfinished"])

    def add(self, step: str, measured: Yield) -> None:
        """Write down what a step yielded; the file is then whole again.

        Raises:
            UnwritableError: the file cannot be written; it then holds what it held before.
        """
        held = self._content
        content = {**held, "unfinished": [name for name in held["unfinished"] if name != step]}
        for name, part in measured.parts().items():
            content[name] = _joined(held[name], part)
        write_json(self._path, content)
        self._content = content


def _joined(held: Any, new: Any) -> Any:
    return {**held, **new} if isinstance(held, Mapping) else [*held, *new]


@contextmanager
def interruptible(path: Path, checkpoint: Checkpoint) -> Iterator[None]:
    """Let an interrupt say whether the file holds anything that the next run goes on from."""
    try:
        yield
    except KeyboardInterrupt as interrupt:
        held = f"{path} holds what was measured, run again to go on"
        raise KeyboardInterrupt(
            held if checkpoint.n_finished else "nothing was measured"
        ) from interrupt


def _read(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(path.read_bytes())
    except (OSError, ValueError):
        return {}
    return content if isinstance(content, dict) else {}


def _differences(earlier: Mapping[str, Any], run: Mapping[str, Any]) -> list[str]:
    """What of the file is not of this very run."""
    found = differing(earlier, run, [name for name in run if name != "environment"])
    then, now = earlier.get("environment"), run["environment"]
    if not isinstance(then, Mapping):
        return [*found, "environment is missing in the file"]
    named = [name for name in now if name not in _FREE]
    return found + [f"environment.{one}" for one in differing(then, now, named)]
