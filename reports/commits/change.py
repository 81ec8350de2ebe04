"""The two commits that a comparison is of, and what git says of them."""

from pathlib import Path
from typing import NamedTuple

from benchmarks.schema import git
from reports.sources.measurements import DamagedError

__all__ = ["Change", "Commit", "change_between", "renews_baseline", "resolve", "revisions"]

_BASELINES = "reports/baselines"


class Commit(NamedTuple):
    """A commit.

    Attributes:
        name: its full name.
        asked: what it was asked for by.
        subject: the first line of its message.
    """

    name: str
    asked: str
    subject: str

    def __str__(self) -> str:
        """What it was asked for by, and what that is."""
        short = self.name[:8]
        return short if self.name.startswith(self.asked) else f"{self.asked} ({short})"


class Change(NamedTuple):
    """What is judged: the difference between two commits.

    Attributes:
        base, head: the commits.
        forked_from: the commit that the head is asked to be compared with, where the base is not
            that commit itself, but the one at which the head forked from it.
        direct: whether a base that the head does not contain is compared itself.
        uncommitted: whether the head is checked out, with changes that are not judged.
    """

    base: Commit
    head: Commit
    forked_from: Commit | None
    direct: bool
    uncommitted: bool

    @property
    def commits(self) -> tuple[Commit, Commit]:
        """Base and head."""
        return self.base, self.head

    def __str__(self) -> str:
        """What is compared with what, in words."""
        if self.forked_from is not None:
            at = self.base.name[:8]
            return f"{self.head} since it forked from {self.forked_from}, at {at}"
        if self.base.name == self.head.name:
            return f"{self.head} against itself"
        directly = ", with what the base did since the fork" if self.direct else ""
        return f"{self.head} against {self.base}{directly}"


def revisions(base: str, head: str | None) -> tuple[str, str]:
    """The two commits of ``BASE HEAD``, ``BASE`` or ``BASE...HEAD``.

    Raises:
        DamagedError: something else; the message says what is accepted.
    """
    first, dots, second = base.partition("...")
    empty = "" in (base, head)  # a variable that is not set, which must not mean HEAD
    if empty or ".." in first + second or (dots and head is not None):
        given = base if head is None else f"{base} {head}"
        raise DamagedError(f"{given!r}: accepted are BASE, BASE HEAD and BASE...HEAD")
    return first or "HEAD", (second if dots else head) or "HEAD"


def change_between(base: str, head: str, *, direct: bool) -> Change:
    """What the head did since it forked from the base.

    Args:
        base, head: revisions.
        direct: compare with the base itself, whatever was done there since the fork.

    Raises:
        DamagedError: there is no such commit, or the two never forked.
        GitError: git cannot tell.
    """
    here = Path.cwd()
    asked, last = _commit(base), _commit(head)
    fork = git.merge_base(here, asked.name, last.name)
    if fork is None and not direct:
        raise DamagedError(f"{asked} and {last} have no commit in common{_if_shallow()}")
    contained = fork == asked.name
    first = asked if direct or contained else _commit(str(fork))
    return Change(
        first,
        last,
        forked_from=None if first is asked else asked,
        direct=direct and not contained,
        uncommitted=resolve("HEAD") == last.name and git.has_changes(here),
    )


def resolve(revision: str) -> str:
    """The full name of a commit.

    Raises:
        DamagedError: there is no such commit.
        GitError: git cannot tell.
    """
    if not git.has_commit(Path.cwd(), revision):
        raise DamagedError(f"{revision!r} names no commit of this repository{_if_shallow()}")
    return _said("rev-parse", "--verify", f"{revision}^{{commit}}")


def renews_baseline(base: str, head: str) -> bool:
    """Whether the baselines that the gate holds differ between two commits.

    Raises:
        GitError: git cannot tell.
    """
    return git.differ(Path.cwd(), base, head, _BASELINES)


def _commit(revision: str) -> Commit:
    name = resolve(revision)
    subject = _said("show", "--no-patch", "--no-show-signature", "--format=%s", name)
    return Commit(name, revision, subject)


def _if_shallow() -> str:
    """The reason why something is missing, where the clone has not the whole history."""
    shallow = _said("rev-parse", "--is-shallow-repository") == "true"
    return ": the clone is shallow, `git fetch --unshallow` completes it" if shallow else ""


def _said(*arguments: str) -> str:
    return git.answer(Path.cwd(), *arguments).strip()
