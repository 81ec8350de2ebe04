"""Copies of this repository, to plant changes in and to run the tools on two losses of."""

import json
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

from benchmarks.schema.git import answer, environment_without_git

ROOT = Path(__file__).resolve().parents[1]
INSTALLED = sysconfig.get_path("purelib")
# Two losses at one size.
CHOICE = {"DIFFBIO_BENCH_LOSSES": "shannon,simpson", "DIFFBIO_BENCH_TIER": "smoke"}


def copy_repository(folder):
    """The working tree's files as a commit, with asv on what is installed."""
    listed = git(ROOT, "ls-files", "--cached", "--others", "--exclude-standard")
    for name in listed.splitlines():
        if (ROOT / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(ROOT / name, folder / name)
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
    return answer(folder, *identity, *arguments).strip()


def commit(folder):
    git(folder, "add", "--all")
    git(folder, "commit", "--quiet", "--message", "scratch")


def python(folder, *arguments, **chosen):
    """Run a module in the copy, on the copy's code; the environment chooses what it measures."""
    environment = {**environment_without_git(), "HOME": str(folder), **CHOICE, **chosen}
    return subprocess.run(
        [sys.executable, "-m", *arguments],
        cwd=folder, env=environment, capture_output=True, text=True,
    )  # fmt: skip
