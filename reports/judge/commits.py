"""What git says of two commits."""

from pathlib import Path

from benchmarks.schema import git
from reports.sources.frame import DamagedError

__all__ = ["renews_baseline", "resolve"]

_BASELINES = "reports/baselines"


def resolve(revision: str) -> str:
    """The full name of a commit.

    Raises:
        DamagedError: there is no such commit.
        GitError: git cannot tell.
    """
    if not git.has_commit(Path.cwd(), revision):
        raise DamagedError(f"{revision!r} names no commit of this repository")
    return git.answer(Path.cwd(), "rev-parse", "--verify", f"{revision}^{{commit}}").strip()


def renews_baseline(base: str, head: str) -> bool:
    """Whether the baselines that the gate holds differ between two commits.

    Raises:
        GitError: git cannot tell.
    """
    return git.differ(Path.cwd(), base, head, _BASELINES)
