"""The two sides of a comparison: a commit's library in an environment, and its suite."""

import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import sysconfig
import tarfile
import venv
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from benchmarks.measure import checkout
from benchmarks.measure.environment import choices
from benchmarks.schema import git
from benchmarks.schema.children import run_child
from benchmarks.schema.files import read_text, write_json
from benchmarks.schema.rounds import ROUNDS_VERSION, Side, SideError

__all__ = ["PreparedSide", "prepare"]

_ROOT = Path(__file__).parents[2]
# What measures the library: it never lies beside the library's source, which would be imported.
_SUITE = ("benchmarks", "reference")
_BOUNDS = Path("benchmarks", "catalog", "lower_bounds.py")


class PreparedSide(NamedTuple):
    """A commit that can be measured.

    Attributes:
        side: base or head.
        commit: its full name.
        description: all that decides what is measured; files of measurements record it.
        folder: its environment, its suite, and what its processes keep.
    """

    side: Side
    commit: str
    description: Mapping[str, Any]
    folder: Path

    def run(self, *arguments: str, given: str = "") -> str:
        """What a module of the suite prints, run on the library of this side.

        Raises:
            SideError: it failed.
        """
        kept = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
        command = [str(_python(self.folder)), "-m", *arguments]
        found = _ended(command, cwd=self.folder / "suite", env=kept, input=given)
        if found.returncode:
            raise SideError(
                f"{self.side} {self.commit[:8]} cannot be measured: {_last_line(found)}"
            )
        return found.stdout


def prepare(side: Side, revision: str, folder: Path, jax: str | None) -> PreparedSide:
    """Build a commit's wheel and install it, beside the packages that are installed here.

    The commit's own suite measures it, or the one of this program where that commit has none
    of this version. What was prepared before, of the same code, is taken as it is.

    Args:
        side: base or head.
        revision: names the commit.
        folder: where it is prepared; replaced if it holds another commit.
        jax: the release of jax and jaxlib to install; None for the one that is installed.

    Raises:
        GitError: there is no such commit.
        SideError: this program is in no repository, or pip or the build failed.
    """
    folder = folder.resolve()  # processes run elsewhere
    marker = folder / "prepared.json"
    if (program := checkout.commit()) is None:
        raise SideError(f"{_ROOT} is no repository: it has no commits to compare")
    commit = _named(f"{revision}^{{commit}}")
    wanted = {
        "commit": commit,
        "tree": _named(f"{commit}^{{tree}}"),
        "jax": jax,
        "program": program,
        "changes": checkout.uncommitted_code(),
    }
    if not (marker.exists() and json.loads(marker.read_bytes()) == wanted):
        shutil.rmtree(folder, ignore_errors=True)
        _extract(commit, folder / "source")
        _install(folder, jax)
        _take_suite(folder)
        shutil.rmtree(folder / "source")
        write_json(marker, wanted)
    bounds = hashlib.sha256((folder / "suite" / _BOUNDS).read_bytes()).hexdigest()
    description = {**wanted, "lower_bounds": bounds, "choices": choices()}
    return PreparedSide(side, commit, description, folder)


def _named(revision: str) -> str:
    return git.answer(_ROOT, "rev-parse", "--verify", revision).strip()


def _extract(commit: str, folder: Path) -> None:
    folder.mkdir(parents=True)
    archive = folder / "commit.tar"
    git.answer(_ROOT, "archive", f"--output={archive.resolve()}", commit)
    with tarfile.open(archive) as tar:
        tar.extractall(folder, filter="data")
    archive.unlink()


def _install(folder: Path, jax: str | None) -> None:
    """The wheel, and the release of jax, in an environment that sees what is installed here."""
    pip = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check"]
    _run([*pip, "wheel", "--no-deps", "--no-build-isolation", "--wheel-dir", str(folder),
             str(folder / "source")])  # fmt: skip
    environment = folder / "environment"
    venv.create(environment)
    releases = [] if jax is None else [f"jax=={jax}", f"jaxlib=={jax}"]
    # The settings of pip, in files or variables, may name another folder.
    there = ["--no-user", "--target=", f"--prefix={environment}", "--root=/"]
    install = ["--python", str(_python(folder)), "install", "--no-deps", *there]
    _run([*pip, *install, *map(str, folder.glob("*.whl")), *releases])
    _borrow_installed_packages(folder)


def _borrow_installed_packages(folder: Path) -> None:
    """Put this interpreter's packages behind those of the side's own environment."""
    paths = sorted({sysconfig.get_path("purelib"), sysconfig.get_path("platlib")})
    (packages,) = (folder / "environment").glob("[Ll]ib/**/site-packages")
    (packages / "borrowed.pth").write_bytes(os.fsencode("\n".join(paths)))


def _take_suite(folder: Path) -> None:
    own = folder / "source"
    start = own if _rounds_version(own) == ROUNDS_VERSION else _ROOT
    for name in _SUITE:
        shutil.copytree(
            start / name, folder / "suite" / name, ignore=shutil.ignore_patterns("__pycache__")
        )


def _rounds_version(source: Path) -> int | None:
    path = source / "benchmarks" / "schema" / "rounds.py"
    found = re.search(r"^ROUNDS_VERSION = (\d+)$", read_text(path) if path.exists() else "", re.M)
    return int(found.group(1)) if found else None


def _python(folder: Path) -> Path:
    scripts = "Scripts" if os.name == "nt" else "bin"
    return folder / "environment" / scripts / "python"


def _run(command: Sequence[str]) -> None:
    found = _ended(command)
    if found.returncode:
        raise SideError(
            f"{' '.join(command[:4])} … ended with {found.returncode}: {_last_line(found)}"
        )


def _ended(command: Sequence[str], **options: Any) -> "subprocess.CompletedProcess[str]":
    return run_child(command, capture_output=True, encoding="locale", errors="replace", **options)


def _last_line(ended: "subprocess.CompletedProcess[str]") -> str:
    """The last line of what a command that failed said."""
    return ((ended.stderr or ended.stdout).strip().splitlines() or ["it said nothing"])[-1]
