"""What differs between two sweeps: the machine, the software, the code and the cells."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks.schema import git
from benchmarks.schema.differences import differing
from benchmarks.schema.environment import JAX_SETTINGS
from benchmarks.schema.records import Source
from reports.reproduction.expectations import Differences
from reports.sources.sweep_file import ReadSweep

__all__ = [
    "differences",
    "differing_data",
    "is_absent",
    "machines",
    "not_asked_for",
    "other_cells",
]

# The folders that decide what a sweep finds.
_CODE = ("diffbio", "reference", "benchmarks")
_INSTRUCTION_SET = ("architecture", "vector_extensions", "devices")
_OTHER_CELLS = "other cells"


def not_asked_for(published: ReadSweep, again: ReadSweep) -> list[str]:
    """What the published sweep has and the other one was not asked to measure, a phrase each.

    Sweeps by the code of an older report do not say what they were asked: they pass.
    """
    then, now = published.environment, again.environment
    if now["tier"] is None:
        return []
    expected = {
        "losses": sorted(set(published.frame["loss"])),
        "n_cells": published.timed_sizes,
    }
    found = {name: [one for one in names if one in now[name]] for name, names in expected.items()}
    tier = {"tier": then["tier"] or now["tier"]}
    return differing({**tier, **expected}, {"tier": now["tier"], **found})


def is_absent(device: str, environment: Mapping[str, Any]) -> bool:
    """Whether a machine lacks a device; every machine has a CPU, and as many of it as asked."""
    backend = device.partition(" ")[0]
    return backend not in {"cpu", *(one.partition(":")[0] for one in environment["devices"])}


def machines(published: ReadSweep, again: ReadSweep) -> str:
    """How the machines are related, in words."""
    then, now = published.environment, again.environment
    if other := _other_instruction_set(then, now):
        return other
    same = all(then[name] == now[name] for name in ("cpu", "cores"))
    return "the same kind of machine" if same else "another machine of the same instruction set"


def differences(published: ReadSweep, again: ReadSweep) -> Differences:
    """What differs between the sweeps as a whole; ``cells`` if any data set differs."""
    then, now = published.environment, again.environment
    keys = published.compiled_with, again.compiled_with
    versions = [name for name in keys[0] if name not in JAX_SETTINGS]
    numpy = ({"numpy": one["packages"].get("numpy")} for one in (then, now))
    return Differences(
        settings=_differing(*keys, JAX_SETTINGS),
        cells=_OTHER_CELLS if differing_data(published, again) else "",
        code="" if _same_code(then, now) else "other code",
        versions=_differing(*keys, versions),
        instruction_set=_other_instruction_set(then, now),
        cores=_differing(then, now, ["cores"]),
        numpy="; ".join(differing(*numpy)),
    )


def _differing(then: Mapping[str, Any], now: Mapping[str, Any], names: Sequence[str]) -> str:
    return "; ".join(differing(then, now, names))


def _other_instruction_set(then: Mapping[str, Any], now: Mapping[str, Any]) -> str:
    """In what the instruction sets differ.

    Where no vector extensions are known, as on ARM, only the same processor tells that the
    instruction set is the same.
    """
    unknown = [] if then["vector_extensions"] else ["cpu"]
    found = _differing(then, now, [*_INSTRUCTION_SET, *unknown])
    return f"another instruction set: {found}" if found else ""


def differing_data(published: ReadSweep, again: ReadSweep) -> list[str]:
    """Names of the data sets that both sweeps have, with different digests."""
    now = again.data_digests
    return [
        name for name, digest in published.data_digests.items() if now.get(name, digest) != digest
    ]


def other_cells(differing: Sequence[str], source: str, n_cells: int) -> str:
    """The phrase, if a data set from which a measurement may have been computed differs.

    A sweep does not say which simulation a loss reads: one that differs counts for all
    simulated cells of its size.
    """
    alike = [name for name in differing if name.endswith(f" {n_cells}")]
    differs = any(name.startswith("real ") == (source == Source.REAL) for name in alike)
    return _OTHER_CELLS if differs else ""


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
