"""The commit that this code is, and what it holds that was not committed."""

import hashlib
from pathlib import Path

from benchmarks.schema import git

__all__ = ["UncommittedError", "clean_commit", "commit", "is_dirty", "uncommitted_code"]

_ROOT = Path(__file__).parents[2]
_CODE = ("diffbio", "reference", "benchmarks", "experiments")


class UncommittedError(RuntimeError):
    """What is measured now is no commit; the message says why."""


def commit() -> str | None:
    """The commit that is checked out; None outside of a repository.

    Raises:
        GitError: git cannot answer.
    """
    return git.answer(_ROOT, "rev-parse", "HEAD").strip() if _is_repository() else None


def is_dirty(changes: str | None) -> bool:
    """Whether any file differs from the commit: outside of a repository nothing is committed.

    Args:
        changes: the code's, by ``uncommitted_code``.

    Raises:
        GitError: git cannot answer.
    """
    return changes is not None or git.has_changes(_ROOT)


def clean_commit() -> str:
    """The commit of what is measured now.

    Raises:
        GitError: git cannot answer.
        UncommittedError: there is none.
    """
    if (found := commit()) is None:
        raise UncommittedError(f"{_ROOT} is no repository: what is measured here is no commit")
    if is_dirty(uncommitted_code()):
        raise UncommittedError(
            f"there are uncommitted changes: what is measured now is not of {found[:8]}"
        )
    return found


def uncommitted_code() -> str | None:
    """A hash that tells one uncommitted state of the code from another; None for no change.

    Only what measures and what is measured counts, not the sweep's own file. What the
    files hold is compared, since git can be told to overlook changes. Outside of a repository
    all code is uncommitted.

    Raises:
        GitError: git cannot answer.
    """
    if not _is_repository():
        return _hash(_contents(_found_files()))
    committed, present = _committed(), _contents(_listed_files())
    differing = {
        name: present.get(name, "")
        for name in committed.keys() | present.keys()
        if committed.get(name) != present.get(name)
    }
    return _hash(differing) if differing else None


def _is_repository() -> bool:
    """Whether the code is a repository, rather than a copy that lies inside of another one."""
    return (_ROOT / ".git").exists()


def _committed() -> dict[str, str]:
    """Names of the code's files, with the hashes of what was committed."""
    listed = git.answer(_ROOT, "ls-tree", "-r", "-z", "HEAD", "--", *_CODE)
    rows = [row.split("\t", 1) for row in listed.split("\0") if row]
    return {name: described.split()[2] for described, name in rows}


def _listed_files() -> list[str]:
    """Names of the files that git knows, and of those that it was not told to ignore here."""
    kinds = ("--cached", "--others", "--exclude-per-directory=.gitignore")
    listed = git.answer(_ROOT, "ls-files", "-z", *kinds, "--", *_CODE)
    return [name for name in set(listed.split("\0")) if name and (_ROOT / name).is_file()]


def _found_files() -> list[str]:
    """Names of all files of the code, without what Python compiled."""
    found = (path for name in _CODE for path in (_ROOT / name).rglob("*") if path.is_file())
    return [path.relative_to(_ROOT).as_posix() for path in found if path.suffix != ".pyc"]


def _contents(names: list[str]) -> dict[str, str]:
    """The hashes that git gives to what the files hold, as it is, whatever filters are set."""
    return {name: _blob((_ROOT / name).read_bytes()) for name in names}


def _blob(content: bytes) -> str:
    return hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()


def _hash(contents: dict[str, str]) -> str:
    return hashlib.sha256(repr(sorted(contents.items())).encode()).hexdigest()[:16]
