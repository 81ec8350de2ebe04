"""The file that a sweep fills step by step: complete and readable whenever it is interrupted."""

import fcntl
import json
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, NamedTuple

from benchmarks.schema.files import UnwritableError, write_json
from benchmarks.schema.records import SCHEMA_VERSION, Ratio, Record

__all__ = ["Checkpoint", "CheckpointError", "Measured", "reserved"]

# These parts of the environment may differ when a sweep goes on. "changes" holds the state of
# the code; "dirty" also counts files that are not code.
_FREE = ("date", "command", "dirty")


class CheckpointError(Exception):
    """The file of a sweep cannot be written; the message names it and says why."""


class Measured(NamedTuple):
    """What a step yields: records, and whatever stands beside them on the page."""

    records: Sequence[Record]
    ratios: Sequence[Ratio] = ()
    v_curves: Sequence[Mapping[str, Any]] = ()
    digests: Mapping[str, str] = {}
    claims: Sequence[Mapping[str, Any]] = ()


class Checkpoint:
    """What was measured so far, and which steps are left.

    An interrupted sweep of the same steps, by the same code in the same environment, is
    taken up where it stopped. Anything else in the file is replaced by the first step.
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

    @property
    def n_finished(self) -> int:
        """How many steps the file holds."""
        return len(self._content["steps"]) - len(self._content["unfinished"])

    def add(self, step: str, measured: Measured) -> None:
        """Write down what a step yielded; the file is then whole again.

        Raises:
            CheckpointError: the file cannot be written; it then holds what it held before.
        """
        held = self._content
        content = {
            **held,
            "unfinished": [name for name in held["unfinished"] if name != step],
            "data_digests": {**held["data_digests"], **measured.digests},
            "records": [*held["records"], *(record.row() for record in measured.records)],
            "v_curves": [*held["v_curves"], *measured.v_curves],
            "ratios": [*held["ratios"], *(ratio._asdict() for ratio in measured.ratios)],
            "claims": [*held["claims"], *measured.claims],
        }
        with _named_errors(self._path):
            write_json(self._path, content)
        self._content = content


@contextmanager
def reserved(path: Path) -> Iterator[None]:
    """Keep other sweeps from writing the file meanwhile, and check that this sweep can.

    A file beside it is locked. The system releases the lock however the process ends.

    Raises:
        CheckpointError: another sweep is writing the file, or nothing can be written there.
    """
    beside = path.with_name(f"{path.name}.lock")
    with _named_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        lock = beside.open("wb", buffering=0)
    with lock:
        with _named_errors(path):
            _acquire(lock, beside)
        try:
            with _named_errors(path):  # a full disk shows here, before anything is measured
                lock.write(str(os.getpid()).encode())
            yield
        finally:
            beside.unlink(missing_ok=True)


def _acquire(lock: IO[bytes], path: Path) -> None:
    """Lock the open file, unless another process has locked or replaced it."""
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        taken = not os.path.samestat(os.fstat(lock.fileno()), path.stat())
    except BlockingIOError:
        taken = True
    if taken:
        raise BlockingIOError(None, "another sweep is writing it")


@contextmanager
def _named_errors(path: Path) -> Iterator[None]:
    try:
        yield
    except UnwritableError as error:  # which names the path already
        raise CheckpointError(str(error)) from error
    except OSError as error:
        raise CheckpointError(f"{path}: {error.strerror or error}") from error


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
