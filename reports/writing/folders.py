"""Folders of pages, which are replaced as a whole, and only if this program made them."""

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from benchmarks.schema.files import UnwritableError
from reports.sources.published import PAGE_MARKER

__all__ = ["check_folder", "replacing_folder"]


def check_folder(folder: Path) -> None:
    """Refuse a folder that holds anything that this program did not write.

    Raises:
        UnwritableError: it must not be replaced; the message says why.
    """
    if folder.is_symlink() or (folder.exists() and not folder.is_dir()):
        raise UnwritableError(f"{folder}: not a folder, it is not replaced")
    here, target = Path.cwd(), folder.resolve()
    if target == here or target in here.parents:
        raise UnwritableError(f"{folder}: holds the working folder, it is not replaced")
    if not folder.exists():
        _check_parent(folder)
        return
    held = {path.relative_to(folder).as_posix() for path in folder.rglob("*")}
    if not held:
        return
    if PAGE_MARKER not in held:
        raise UnwritableError(
            f"{folder}: this program did not make it (no {PAGE_MARKER} in it), it is not replaced"
        )
    made = {PAGE_MARKER, *os.fsdecode((folder / PAGE_MARKER).read_bytes()).splitlines()}
    if foreign := sorted(held - made):
        raise UnwritableError(f"{folder}: {foreign[0]} is not of this program, it is not replaced")


def _check_parent(folder: Path) -> None:
    """Refuse a folder that could not be made."""
    parent = next(path for path in folder.absolute().parents if path.exists())
    if not parent.is_dir() or not os.access(parent, os.W_OK | os.X_OK):
        raise UnwritableError(f"{folder}: cannot be written, {parent} takes no folder")


@contextmanager
def replacing_folder(folder: Path) -> Iterator[Path]:
    """An empty folder to write to, which replaces the old one if the block ends without an error.

    The old folder is moved away first and deleted last, so that at every moment one of the
    two is whole: where it was, or beside it in a hidden folder.

    Raises:
        UnwritableError: it must not be replaced or cannot be written; the old one is where it was.
    """
    check_folder(folder)
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(
            dir=folder.parent, prefix=f".{folder.name}-", ignore_cleanup_errors=True
        ) as aside:
            new, old = Path(aside, "new"), Path(aside, "old")
            new.mkdir()
            yield new
            _mark(new)
            _exchange(folder, new, old)
    except UnwritableError:
        raise
    except OSError as error:
        raise UnwritableError(f"{folder}: cannot be written ({error})") from error


def _mark(folder: Path) -> None:
    """List the files that were written, so that the next report may replace them."""
    names = sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*"))
    (folder / PAGE_MARKER).write_bytes(os.fsencode("".join(f"{name}\n" for name in names)))


def _exchange(folder: Path, new: Path, old: Path) -> None:
    if folder.exists():
        folder.rename(old)
    try:
        new.rename(folder)
    except OSError:
        if old.exists():
            old.rename(folder)
        raise
