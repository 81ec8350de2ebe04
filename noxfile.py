"""Runs the quick tests with every Python and all versions that the package promises to support.

`make matrix` skips a Python that the machine does not have; where `CI` is set, that is an error.
"""

import os
import tomllib
from pathlib import Path

import nox

# The shims of pyenv hide the Pythons that are not chosen.
PYENV = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv"))
os.environ["PATH"] = os.pathsep.join(
    [*map(str, PYENV.glob("versions/3.*/bin")), os.environ["PATH"]]
)

PROJECT = tomllib.loads((Path(__file__).parent / "pyproject.toml").read_text())["project"]
PYTHONS = ["3.11", "3.12", "3.13"]
# The oldest versions were built for the oldest Python alone.
MATRIX = [(PYTHONS[0], "oldest")] + [(each, to) for each in PYTHONS for to in ("pinned", "newest")]


def oldest_versions():
    """One constraint for each package that `pyproject.toml` asks for: the oldest it allows."""
    extras = PROJECT["optional-dependencies"].values()
    needed = {need for needs in [PROJECT["dependencies"], *extras] for need in needs}
    # A package with extras cannot be a constraint; it stands among the dependencies without them.
    return sorted(need.replace(">=", "==") for need in needed if ">=" in need and "[" not in need)


def constraints(session, versions):
    """The arguments of pip that choose these versions."""
    if versions == "newest":
        return []
    if versions == "pinned":
        return ["--constraint", "constraints.txt"]
    oldest = Path(session.create_tmp()).resolve() / "oldest.txt"
    oldest.write_text("\n".join(oldest_versions()))
    return ["--constraint", oldest]


@nox.session
@nox.parametrize("python, versions", MATRIX, ids=["-".join(each) for each in MATRIX])
def tests(session, versions):
    """The oldest versions that pyproject.toml allows, those of constraints.txt, or the newest."""
    session.install(*constraints(session, versions), "--editable", ".[dev]")
    session.run("python", "-m", "pytest", *session.posargs)
