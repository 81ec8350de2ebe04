"""The wheel holds the library alone, and every extra that it lists can be installed."""

import re
import subprocess
import sys
import tomllib
import zipfile

import pytest

from tests.scratch import ROOT, copy_repository

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("distribution")]

EXTRAS = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]


def pip(*arguments):
    done = subprocess.run(
        [sys.executable, "-m", "pip", *map(str, arguments)],
        capture_output=True,
        text=True,
        cwd=ROOT,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    source, folder = tmp_path_factory.mktemp("source"), tmp_path_factory.mktemp("wheel")
    copy_repository(source)
    pip("wheel", "--quiet", "--no-deps", "--no-build-isolation", f"--wheel-dir={folder}", source)
    (path,) = folder.glob("*.whl")
    return path


def test_it_holds_the_library_alone(wheel):
    names = zipfile.ZipFile(wheel).namelist()
    tops = {name.split("/")[0] for name in names}
    (information,) = [top for top in tops if top.endswith(".dist-info")]
    assert tops == {"diffbio", information}
    assert {"diffbio/py.typed", f"{information}/licenses/LICENSE"} <= set(names)
    ours = {path.relative_to(ROOT).as_posix() for path in (ROOT / "diffbio").rglob("*.py")}
    assert {name for name in names if name.endswith(".py")} == ours


def test_its_metadata_list_the_extras(wheel):
    with zipfile.ZipFile(wheel) as archive:
        (name,) = [name for name in archive.namelist() if name.endswith("/METADATA")]
        metadata = archive.read(name).decode()
    listed = re.findall(r"^Provides-Extra: (\S+)$", metadata, re.MULTILINE)
    assert sorted(listed) == sorted(EXTRAS)
    assert not [line for line in metadata.splitlines() if "file:" in line]


# The libraries of NVIDIA are gigabytes, of which pip would fetch the wheels to read their needs.
@pytest.mark.parametrize("extra", sorted(set(EXTRAS) - {"cuda"}))
def test_an_extra_resolves(wheel, extra):
    resolved = pip(
        "install", "--dry-run", "--ignore-installed", "--constraint", "constraints.txt",
        f"{wheel}[{extra}]",
    )  # fmt: skip
    assert "Would install" in resolved
    for requirement in EXTRAS[extra]:
        name = re.match(r"[\w.-]+", requirement)[0].replace("_", "-")
        assert re.search(rf"\b{re.escape(name)}-\d", resolved.replace("_", "-"), re.IGNORECASE), (
            name
        )
