"""Copies of this repository with two losses, to plant changes in and to run the tools on."""

import json
import os
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
INSTALLED = sysconfig.get_path("purelib")
_FEWER = "\nCATALOG = tuple(case for case in CATALOG if case.name in LOSSES)\n"


def copy_repository(folder):
    """The working tree's files, with two losses at one size, and asv on what is installed."""
    files = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT, capture_output=True, text=True, check=True,
    ).stdout.splitlines()  # fmt: skip
    for name in files:
        if (ROOT / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(ROOT / name, folder / name)

    names = folder / "benchmarks" / "schema" / "suite.py"
    text = names.read_text()
    start, end = text.index("LOSSES = ("), text.index("TRANSFORMS = ")
    names.write_text(f'{text[:start]}LOSSES = ("shannon", "simpson")\n{text[end:]}')
    replace(names, '"quick": (256, 4096)', '"quick": (4096,)')
    catalog = folder / "benchmarks" / "catalog" / "cases.py"
    replace(catalog, "\nCATALOG:", "\nfrom benchmarks.schema.suite import LOSSES\nCATALOG:")
    replace(catalog, "\n\ndef case(", f"{_FEWER}\n\ndef case(")
    _borrow_what_is_installed(folder / "asv.conf.json")
    git(folder, "init", "--quiet", "--initial-branch", "main")
    commit(folder)


def _borrow_what_is_installed(path):
    """Let this interpreter's packages stand in for a matrix that would be downloaded."""
    configuration = json.loads(path.read_text())
    configuration["matrix"] = {}
    configuration["pythons"] = ["{}.{}".format(*sys.version_info)]
    write = (
        "import pathlib, sysconfig; "
        f"pathlib.Path(sysconfig.get_path('purelib'), 'borrowed.pth').write_text('{INSTALLED}')"
    )
    configuration["install_command"].append(f'in-dir={{env_dir}} python -c "{write}"')
    build = f"{sys.executable} -m build --no-isolation --wheel -o {{build_cache_dir}} {{build_dir}}"
    configuration["build_command"] = [build]
    path.write_text(json.dumps(configuration))


def replace(path, old, new):
    text = path.read_text()
    assert text.count(old) == 1, (path, old)
    path.write_text(text.replace(old, new))


def git(folder, *arguments):
    identity = ["-c", "user.name=nobody", "-c", "user.email=nobody@example.org"]
    run = subprocess.run(
        ["git", *identity, *arguments], cwd=folder, capture_output=True, text=True, check=True
    )
    return run.stdout.strip()


def commit(folder):
    git(folder, "add", "--all")
    git(folder, "commit", "--quiet", "--message", "scratch")


def python(folder, *arguments):
    """Run a module in the copy, on the copy's code."""
    environment = {**os.environ, "HOME": str(folder), "DIFFBIO_BENCH_TIER": "quick"}
    return subprocess.run(
        [sys.executable, "-m", *arguments],
        cwd=folder, env=environment, capture_output=True, text=True,
    )  # fmt: skip
