"""Whoever adds a loss as CONTRIBUTING.md says gets its tests, its measurements and its row."""

import re

import pytest

from tests.scratch import ROOT, copy_repository, python

_BLOCK = re.compile(r"^```(python|diff) file=(\S+)\n(.*?)^```$", re.DOTALL | re.MULTILINE)


def follow(text, folder):
    """Do what the blocks say: write a new file, or put lines above the one that is named."""
    blocks = _BLOCK.findall(text)
    for kind, name, block in blocks:
        path = folder / name
        if kind == "python":
            assert not path.exists(), name
            path.write_text(block)
        else:
            *added, anchor = block.splitlines()
            lines = "".join(f"{line[1:]}\n" for line in added)
            before = path.read_text()
            assert before.count(f"{anchor[1:]}\n") == 1, (name, anchor)
            path.write_text(before.replace(f"{anchor[1:]}\n", f"{lines}{anchor[1:]}\n"))
    return blocks


@pytest.mark.slow
def test_a_loss_is_added_as_it_is_written_there(tmp_path):
    copy_repository(tmp_path)
    assert len(follow((ROOT / "CONTRIBUTING.md").read_text(), tmp_path)) == 7

    def run(*arguments):
        done = python(tmp_path, *arguments, DIFFBIO_BENCH_LOSSES="cluster_balance")
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    tested = run("pytest", "tests/functional", "-n", "0", "-v", "-k", "cluster_balance")
    assert int(re.search(r"(\d+) passed", tested)[1]) >= 15
    sweep, page = "results/mine/sweep.json", "results/mine/report"
    run("benchmarks", "sweep", "--output", sweep, "--loss", "cluster_balance")
    built = run("reports", "build", "--results", sweep, "--output", page)
    assert "All 1 losses agree" in built
    assert "cluster_balance" in (tmp_path / page / "index.html").read_text()
