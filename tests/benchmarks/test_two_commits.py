"""asv measures the code of the commit, not of the working tree, and sees what differs."""

import json

import pytest

from tests.scratch import commit, copy_repository, git, python, replace

# A sum of squares through a sort: several times slower, with an array beside the input.
SLOWER = ("jnp.sum(p * p)", "jnp.sum(jnp.sort(jnp.stack([p * p] * 4), axis=1)) / 4")
CHANGED = ("simpson:value_and_grad", "4096", "cpu")


@pytest.fixture(scope="module")
def scratch(tmp_path_factory):
    """A repository with two commits that differ in the Simpson concentration alone."""
    folder = tmp_path_factory.mktemp("scratch")
    copy_repository(folder)
    replace(folder / "diffbio" / "functional" / "diversity.py", *SLOWER)
    commit(folder)
    return folder


def results(folder, revision):
    """Values of the benchmarks over programs, cell counts and devices."""
    stored = folder / ".asv" / "results"
    (path,) = stored.glob(f"*/{git(folder, 'rev-parse', revision)[:8]}*.json")
    content = json.loads(path.read_text())
    found = {}
    for name, row in content["results"].items():
        columns = dict(zip(content["result_columns"], row, strict=False))
        sizes = [len(values) for values in columns["params"]]
        if len(sizes) != 3:
            continue
        for at, value in enumerate(columns["result"]):
            program = columns["params"][0][at // (sizes[1] * sizes[2])]
            n_cells = columns["params"][1][at // sizes[2] % sizes[1]]
            device = columns["params"][2][at % sizes[2]]
            where = (program.strip("'"), n_cells, device.strip("'"))
            found[(name.rsplit(".", 1)[1], *where)] = value
    return found


def test_asv_tells_two_commits_apart_where_they_differ_and_only_there(scratch):
    assert python(scratch, "asv", "machine", "--yes").returncode == 0
    benchmarks = "Counters|Memory|Throughput|Call"
    run = python(scratch, "asv", "continuous", "--bench", benchmarks, "main~1", "main")
    assert run.returncode == 1, run.stdout + run.stderr
    assert "SOME BENCHMARKS HAVE CHANGED SIGNIFICANTLY" in run.stdout
    before, after = (results(scratch, revision) for revision in ("main~1", "main"))
    assert set(before) == set(after)
    measured = {key for key in before if key[3] == "cpu"}
    assert all(isinstance(before[key], int | float) for key in measured)

    for metric in ("track_ns_per_cell", "time_call"):
        assert after[(metric, *CHANGED)] > 2 * before[(metric, *CHANGED)]
    temporary, fingerprint = "track_temp_bytes", "track_hlo_fingerprint"
    assert after[(temporary, *CHANGED)] > before[(temporary, *CHANGED)] + 4096 * 20 * 4
    assert after[(fingerprint, *CHANGED)] != before[(fingerprint, *CHANGED)]

    timed = ("track_ns_per_cell", "track_limit_ratio", "time_call")
    same = [key for key in measured if key[1].startswith("shannon") and key[0] not in timed]
    assert len(same) >= 18
    assert all(before[key] == after[key] for key in same)
