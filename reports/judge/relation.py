"""What is the same of two sweeps: the machine, the software, the code and the cells."""

from collections.abc import Mapping, Sequence
from enum import StrEnum
from pathlib import Path
from typing import Any

from benchmarks.schema import git
from benchmarks.schema.records import Source
from reports.judge.baseline import key
from reports.judge.promises import Conditions
from reports.sources.sweep import Sweep

__all__ = ["Machines", "conditions", "differing_data", "machines", "same_cells"]

# The folders that decide what a sweep finds.
_CODE = ("diffbio", "reference", "benchmarks")


class Machines(StrEnum):
    """How the machines of two sweeps are related."""

    SAME = "the same kind of machine"
    INSTRUCTION_SET = "another machine of the same instruction set"
    OTHER = "another instruction set"


def machines(published: Sweep, again: Sweep) -> Machines:
    """The relation of the machines.

    Where no vector extensions are known, as on ARM, only the same processor tells that the
    instruction set is the same.
    """
    then, now = published.environment, again.environment

    def same(*names: str) -> bool:
        return all(then[name] == now[name] for name in names)

    known = bool(then["vector_extensions"]) or same("cpu")
    if not (known and same("architecture", "vector_extensions", "devices")):
        return Machines.OTHER
    return Machines.SAME if same("cpu", "cores") else Machines.INSTRUCTION_SET


def conditions(published: Sweep, again: Sweep) -> Conditions:
    """What is the same of the sweeps as a whole; ``cells`` is whether no data set differs."""
    then, now = published.environment, again.environment
    return Conditions(
        cells=not differing_data(published, again),
        code=_same_code(then, now),
        versions=key(published) == key(again),
        instruction_set=machines(published, again) != Machines.OTHER,
        cores=then["cores"] == now["cores"],
        numpy=then["packages"].get("numpy") == now["packages"].get("numpy"),
    )


def differing_data(published: Sweep, again: Sweep) -> list[str]:
    """Names of the data sets that both sweeps have, with different digests."""
    now = again.data_digests
    return [
        name for name, digest in published.data_digests.items() if now.get(name, digest) != digest
    ]


def same_cells(differing: Sequence[str], source: str, n_cells: int) -> bool:
    """Whether no data set from which a figure may have been computed differs.

    A sweep does not say which simulation a loss reads: one that differs counts for all
    simulated cells of its size.
    """
    alike = [name for name in differing if name.endswith(f" {n_cells}")]
    return not any(name.startswith("real ") == (source == Source.REAL) for name in alike)


def _same_code(then: Mapping[str, Any], now: Mapping[str, Any]) -> bool:
    """Whether two sweeps measured the same library by the same means.

    Commits that differ elsewhere, such as the one that adds the published report, are the
    same code. Uncommitted changes are the same only on top of the same commit. A commit that this
    repository does not have is not the code that was measured here.

    Raises:
        GitError: git cannot tell.
    """
    commits = [environment["commit"] for environment in (then, now)]
    changes = [environment.get("changes") for environment in (then, now)]
    if None in commits or changes[0] != changes[1]:
        return False
    if commits[0] == commits[1]:
        return True
    here = Path.cwd()
    known = all(git.has_commit(here, commit) for commit in commits)
    return changes == [None, None] and known and not git.differ(here, *commits, *_CODE)
