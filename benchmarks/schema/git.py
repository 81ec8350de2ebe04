"""The one place that calls git: nothing around it decides what git answers.

The environment could name another repository, and a user's settings could show other contents
than a file has. What git cannot answer is an error, in git's own words.
"""

import os
import subprocess
from collections.abc import Sequence
from pathlib import Path

__all__ = [
    "GitError",
    "answer",
    "differ",
    "environment_without_git",
    "has_changes",
    "has_commit",
    "merge_base",
]

_SETTINGS = (
    "--no-replace-objects",
    "--no-optional-locks",
    *("-c", "core.attributesFile=", "-c", "core.fsmonitor=false", "-c", "core.quotePath=false"),
    *("-c", "i18n.logOutputEncoding=UTF-8"),
)
# Programs that a user has chosen to show differences with.
_PLAIN_DIFF = ("diff", "--no-ext-diff", "--no-textconv", "--no-renames")


class GitError(RuntimeError):
    """git cannot be called, or it could not answer; the message says what git said."""


def environment_without_git() -> dict[str, str]:
    """The environment without what names a repository, settings or objects to git."""
    return {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}


def answer(folder: Path, *arguments: str) -> str:
    """What git prints about the repository that the folder lies in.

    Args:
        folder: where git is called.
        arguments: the command and its arguments.

    Raises:
        GitError: git failed.
    """
    return _ended(folder, arguments).stdout


def differ(folder: Path, base: str, head: str, *paths: str) -> bool:
    """Whether two commits differ in some paths, which are relative to the repository's root.

    Raises:
        GitError: git cannot tell.
    """
    named = (base, head, "--", *(f":/{path}" for path in paths))
    return not _holds(folder, *_PLAIN_DIFF, "--quiet", *named)


def has_changes(folder: Path) -> bool:
    """Whether any file of the checkout differs from its commit, or is unknown to it.

    Raises:
        GitError: git cannot tell.
    """
    return bool(answer(folder, "status", "--porcelain", "--untracked-files=normal"))


def has_commit(folder: Path, revision: str) -> bool:
    """Whether the repository has a commit of that name.

    Raises:
        GitError: git cannot tell.
    """
    return _holds(folder, "rev-parse", "--verify", "--quiet", f"{revision}^{{commit}}")


def merge_base(folder: Path, base: str, head: str) -> str | None:
    """The commit at which two branches forked; None if they have none in common.

    Raises:
        GitError: git cannot tell.
    """
    arguments = ("merge-base", base, head)
    return _ended(folder, arguments, (0, 1)).stdout.strip() or None


def _holds(folder: Path, *arguments: str) -> bool:
    """Whether a command says yes, of those that say no with exit code 1."""
    return _ended(folder, arguments, (0, 1)).returncode == 0


def _ended(
    folder: Path, arguments: Sequence[str], answers: Sequence[int] = (0,)
) -> "subprocess.CompletedProcess[str]":
    """A call of git that ended with one of the exit codes that are answers."""
    try:
        done = subprocess.run(
            ["git", *_SETTINGS, *arguments],
            cwd=folder,
            env={**environment_without_git(), "LC_ALL": "C"},
            capture_output=True,
            encoding="utf-8",
            errors="replace",
        )
    except OSError as error:
        raise GitError(f"git cannot be called ({error})") from error
    if done.returncode not in answers:
        said = done.stderr.strip() or f"it ended with {done.returncode} and said nothing"
        raise GitError(f"git {arguments[0]}: {said}")
    return done
