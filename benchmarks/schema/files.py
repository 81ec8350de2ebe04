"""Files that are written whole or not at all, by one process, and only over files of their kind."""

import fcntl
import json
import os
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

__all__ = [
    "UnwritableError",
    "check_replaceable",
    "csv_with",
    "json_with",
    "put_text",
    "read_text",
    "replacing_file",
    "reserved",
    "utf_8",
    "write_json",
    "write_text",
]

# Surrogates that stand for no byte.
_NO_BYTE = re.compile("[\ud800-\udc7f\udd00-\udfff]")


class UnwritableError(OSError):
    """A path cannot be written, or what is there must not be replaced; the message says why."""


def check_replaceable(path: Path, kind: str, is_one: Callable[[str], bool]) -> None:
    """Refuse to replace a file that is not of a kind; nothing and an empty file pass.

    Args:
        path: the file that is going to be written.
        kind: what it will hold, for the message.
        is_one: whether a text is of that kind: ``json_with`` or ``csv_with``.

    Raises:
        UnwritableError: something else is there.
    """
    if path.is_symlink() or (path.exists() and not path.is_file()):
        raise UnwritableError(f"{path}: not a file, it is not replaced")
    if not path.exists() or path.stat().st_size == 0:
        return
    if not is_one(read_text(path)):
        raise UnwritableError(f"{path}: does not hold {kind}, it is not replaced")


def json_with(*names: str) -> Callable[[str], bool]:
    """Whether a text is a JSON object that has the names, or a list of such objects."""

    def is_one(text: str) -> bool:
        try:
            content = json.loads(text)
        except (ValueError, RecursionError):
            return False
        rows = content if isinstance(content, list) and content else [content]
        return all(isinstance(row, dict) and set(names) <= set(row) for row in rows)

    return is_one


def csv_with(*names: str) -> Callable[[str], bool]:
    """Whether a text is a table whose first line has the names."""
    return lambda text: set(names) <= set(text.splitlines()[0].split(","))


def write_json(path: Path, content: Any) -> None:
    """Write a JSON file, completely or not at all."""
    write_text(path, json.dumps(content, indent=1, allow_nan=False))


def write_text(path: Path, text: str) -> None:
    """Write a file, completely or not at all.

    Raises:
        UnwritableError: it cannot be written; what was there is still there.
    """
    with replacing_file(path) as aside:
        put_text(aside, text)


def put_text(path: Path, text: str) -> None:
    """Write a file that nobody reads meanwhile, in UTF-8 whatever the locale."""
    path.write_bytes(utf_8(text))


def utf_8(text: str) -> bytes:
    """The text in UTF-8.

    Of files' names, Python holds bytes that are no text in this locale as surrogates: they become
    these bytes again, and where these are no UTF-8 either, they are escaped. So is any other
    surrogate, which JSON can name and no encoding has.
    """
    escaped = _NO_BYTE.sub(lambda found: f"\\u{ord(found[0]):04x}", text)
    found = escaped.encode(errors="surrogateescape")
    return found.decode(errors="backslashreplace").encode()


def read_text(path: Path) -> str:
    """The text of a file: UTF-8, whatever the locale; what is none is replaced."""
    return path.read_text(encoding="utf-8", errors="replace")


@contextmanager
def replacing_file(path: Path) -> Iterator[Path]:
    """A path to write to, whose file replaces the other one if the block ends without an error.

    Raises:
        UnwritableError: it cannot be written; what was there is still there.
    """
    aside = path.with_name(f"{path.name}.{os.getpid()}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        yield aside
        os.replace(aside, path)
    except UnwritableError:
        raise
    except OSError as error:
        raise UnwritableError(f"{path}: cannot be written ({error})") from error
    finally:
        if aside.exists():
            aside.unlink()


@contextmanager
def reserved(path: Path) -> Iterator[None]:
    """Keep other runs from writing a file or a folder meanwhile, and check that this one can.

    A file beside it is locked. The system releases the lock however the process ends.

    Raises:
        UnwritableError: another run is writing there, or nothing can be written there.
    """
    beside = path.with_name(f"{path.name}.lock")
    with _naming(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        lock = beside.open("wb", buffering=0)
    with lock:
        with _naming(path):
            _acquire(lock, beside)
        try:
            with _naming(path):  # a full disk shows here, before anything is measured
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
        raise BlockingIOError(None, "another run is writing it")


@contextmanager
def _naming(path: Path) -> Iterator[None]:
    """Errors of the system that name the path; those that name it already pass as they are."""
    try:
        yield
    except UnwritableError:
        raise
    except OSError as error:
        raise UnwritableError(f"{path}: {error.strerror or error}") from error
