"""What git says of two commits."""

import subprocess

from reports.sources.frame import DamagedError

__all__ = ["renews_baseline", "resolve"]

_BASELINES = "reports/baselines"


def resolve(revision: str) -> str:
    """The full name of a commit.

    Raises:
        DamagedError: there is no such commit.
    """
    command = ["git", "rev-parse", "--verify", "--quiet", f"{revision}^{{commit}}"]
    found = subprocess.run(command, capture_output=True, encoding="utf-8", errors="replace")
    if found.returncode:
        raise DamagedError(f"{revision!r} names no commit of this repository")
    return found.stdout.strip()


def renews_baseline(base: str, head: str) -> bool:
    """Whether the baselines that the gate holds differ between two commits.

    Raises:
        DamagedError: git cannot tell.
    """
    command = ["git", "diff", "--quiet", base, head, "--", f":/{_BASELINES}"]
    found = subprocess.run(command, capture_output=True, encoding="utf-8", errors="replace")
    if found.returncode not in (0, 1):
        raise DamagedError(f"git diff: {found.stderr.strip()}")
    return found.returncode == 1
