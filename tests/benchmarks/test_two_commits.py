"""asv measures the code of the commit, not of the working tree, and sees what differs."""

import json
import os
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
INSTALLED = sysconfig.get_path("purelib")
# A sum of squares through a sort: several times slower, with an array beside the input.
SLOWER = ("jnp.sum(p * p)", "jnp.sum(jnp.sort(jnp.stack([p * p] * 4), axis=1)) / 4")
FEWER = "\nCATALOG = tuple(case for case in CATALOG if case.name in LOSSES)\n"


@pytest.fixture(scope="module")
def scratch(tmp_path_factory):
    """A repository with two commits that differ in the Simpson concentration alone."""
    folder = tmp_path_factory.mktemp("scratch")
    files = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT, capture_output=True, text=True, check=True,
    ).stdout.splitlines()  # fmt: skip
    for name in files:
        if (ROOT / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(ROOT / name, folder / name)

    names = folder / "benchmarks" / "names.py"
    text = names.read_text()
    start, end = text.index("LOSSES = ("), text.index("TRANSFORMS = ")
    names.write_text(f'{text[:start]}LOSSES = ("shannon", "simpson")\n{text[end:]}')
    catalog = folder / "benchmarks" / "catalog.py"
    text = catalog.read_text().replace(
        "\nCATALOG:", "\nfrom benchmarks.names import LOSSES\nCATALOG:"
    )
    catalog.write_text(text.replace("\n\ndef case(", f"{FEWER}\n\ndef case("))

    # What this interpreter has installed stands in for a matrix to be downloaded.
    configuration = json.loads((folder / "asv.conf.json").read_text())
    configuration["matrix"] = {}
    configuration["pythons"] = ["{}.{}".format(*sys.version_info)]
    borrow = (
        "import pathlib, sysconfig; "
        f"pathlib.Path(sysconfig.get_path('purelib'), 'borrowed.pth').write_text('{INSTALLED}')"
    )
    configuration["install_command"].append(f'in-dir={{env_dir}} python -c "{borrow}"')
    build = f"{sys.executable} -m build --no-isolation --wheel -o {{build_cache_dir}} {{build_dir}}"
    configuration["build_command"] = [build]
    (folder / "asv.conf.json").write_text(json.dumps(configuration))

    git(folder, "init", "--quiet", "--initial-branch", "main")
    commit(folder)
    source = folder / "diffbio" / "functional" / "diversity.py"
    assert SLOWER[0] in source.read_text()
    source.write_text(source.read_text().replace(*SLOWER))
    commit(folder)
    return folder


def git(folder, *arguments):
    identity = ["-c", "user.name=nobody", "-c", "user.email=nobody@example.org"]
    run = subprocess.run(
        ["git", *identity, *arguments], cwd=folder, capture_output=True, text=True, check=True
    )
    return run.stdout.strip()


def commit(folder):
    git(folder, "add", "--all")
    git(folder, "commit", "--quiet", "--message", "scratch")


def asv(folder, *arguments):
    environment = {
        **os.environ,
        "HOME": str(folder),
        "DIFFBIO_BENCH_TIER": "quick",
    }
    return subprocess.run(
        [sys.executable, "-m", "asv", *arguments],
        cwd=folder, env=environment, capture_output=True, text=True,
    )  # fmt: skip


def results(folder, revision):
    """Values of the tracked benchmarks at 4096 cells with gradient, by loss and metric."""
    (path,) = (folder / ".asv" / "results").glob(
        f"*/{git(folder, 'rev-parse', revision)[:8]}*.json"
    )
    content = json.loads(path.read_text())
    found = {}
    for name, row in content["results"].items():
        columns = dict(zip(content["result_columns"], row, strict=False))
        sizes = [len(values) for values in columns["params"]]
        if len(sizes) == 3:
            for at, value in enumerate(columns["result"]):
                program = columns["params"][0][at // (sizes[1] * sizes[2])]
                n_cells = columns["params"][1][at // sizes[2] % sizes[1]]
                device = columns["params"][2][at % sizes[2]]
                found[name.rsplit(".", 1)[1], program.strip("'"), n_cells, device.strip("'")] = (
                    value
                )
    return found


def test_asv_tells_two_commits_apart_where_they_differ_and_only_there(scratch):
    assert asv(scratch, "machine", "--yes").returncode == 0
    run = asv(scratch, "run", "--bench", "Counters|Memory|Throughput", "main")
    assert run.returncode == 0, run.stdout + run.stderr
    before, after = (results(scratch, revision) for revision in ("main~1", "main"))
    assert set(before) == set(after)
    measured = {key for key in before if key[3] == "cpu"}
    assert all(isinstance(before[key], int | float) for key in measured)

    changed = ("simpson:value_and_grad", "4096", "cpu")
    assert after["track_ns_per_cell", *changed] > 2 * before["track_ns_per_cell", *changed]
    assert after["track_temp_bytes", *changed] > before["track_temp_bytes", *changed] + 4096 * 20
    fingerprint = "track_hlo_fingerprint"
    assert after[fingerprint, *changed] != before[fingerprint, *changed]

    same = [key for key in measured if key[1].startswith("shannon") and key[0] not in
            ("track_ns_per_cell", "track_limit_ratio")]  # fmt: skip
    assert len(same) > 20
    assert all(before[key] == after[key] for key in same)
