"""The one place that calls git: nothing around it decides what git answers.

The environment could name another repository, and a user's settings could show other contents
than a file has. What git cannot answer is an error, in git's own words.
"""

import os
import subprocess
from pathlib import Path

__all__ = ["GitError", "answer", "differ", "environment_without_git", "has_commit"]

_SETTINGS = (
    "--no-replace-objects",
    "--no-optional-locks",
    *("-c", "core.attributesFile=", "-c", "core.fsmonitor=false", "-c", "core.quotePath=false"),
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
    done = _ended(folder, arguments)
    if done.returncode:
        raise _failure(arguments, done)
    return done.stdout


def differ(folder: Path, base: str, head: str, *paths: str) -> bool:
    """Whether two commits differ in some paths, which are relative to the repository's root.

    Raises:
        GitError: git cannot tell.
    """
    named = (base, head, "--", *(f":/{path}" for path in paths))
    return not _holds(folder, *_PLAIN_DIFF, "--quiet", *named)


def has_commit(folder: Path, revision: str) -> bool:
    """Whether the repository has a commit of that name.

    Raises:
        GitError: git cannot tell.
    """
    return _holds(folder, "rev-parse", "--verify", "--quiet", f"{revision}^{{commit}}")


def _holds(folder: Path, *arguments: str) -> bool:
    """Whether a command says yes, of those that say no with exit code 1."""
    done = _ended(folder, arguments)
    if done.returncode not in (0, 1):
        raise _failure(arguments, done)
    return done.returncode == 0


def _ended(folder: Path, arguments: tuple[str, ...]) -> "subprocess.CompletedProcess[str]":
    try:
        return subprocess.run(
            ["git", *_SETTINGS, *arguments],
            cwd=folder,
            env={**environment_without_git(), "LC_ALL": "C"},
            capture_output=True,
            encoding="utf-8",
            errors="surrogateescape",
        )
    except OSError as error:
        raise GitError(f"git cannot be called ({error})") from error


def _failure(arguments: tuple[str, ...], done: "subprocess.CompletedProcess[str]") -> GitError:
    said = done.stderr.strip() or f"it ended with {done.returncode} and said nothing"
    return GitError(f"git {arguments[0]}: {said}")
