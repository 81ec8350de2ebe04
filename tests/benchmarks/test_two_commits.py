"""asv measures the code of the commit, not of the working tree; compare says what differs."""

import json
import math
import re

import pytest

from benchmarks.schema.metrics import METRICS
from reports.judge.verdict import DETERMINISTIC
from tests.scratch import git, python

pytestmark = pytest.mark.slow

CHANGED = ("simpson:value_and_grad", "4096", "cpu")
COUNTERS = {name for name, metric in METRICS.items() if metric.kind in DETERMINISTIC}


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


def test_asv_measures_both_commits_and_compare_tells_what_differs(scratch):
    python(scratch, "asv", "machine", "--yes")
    measured = python(scratch, "asv", "continuous", "--interleave-rounds", "main~1", "main")
    assert measured.returncode == 1, measured.stdout + measured.stderr  # asv: it got worse
    compared = compare(scratch, "main~1", "main")
    assert compared.returncode == 1, compared.stdout + compared.stderr
    check_what_asv_measured(scratch)
    check_what_compare_said(scratch, compared.stdout)

    itself = compare(scratch, "main", "main")
    assert itself.returncode == 0, itself.stdout + itself.stderr
    assert re.match(
        r"\*\*Passes(, \d+ figures not judged)?: 0 regressed, 0 improved", itself.stdout
    )


def compare(folder, *revisions):
    return python(folder, "reports", "compare", *revisions, "--results", ".asv/results")


def check_what_asv_measured(scratch):
    before, after = (results(scratch, revision) for revision in ("main~1", "main"))
    assert set(before) == set(after)
    measured = {key for key in before if key[3] == "cpu"}
    assert all(isinstance(before[key], int | float) for key in measured)

    for metric in ("track_ns_per_cell", "time_call"):
        assert after[(metric, *CHANGED)] > 2 * before[(metric, *CHANGED)]
    temporary, fingerprint = "track_temp_bytes", "track_hlo_fingerprint"
    assert after[(temporary, *CHANGED)] > before[(temporary, *CHANGED)] + 4096 * 20 * 4
    assert after[(fingerprint, *CHANGED)] != before[(fingerprint, *CHANGED)]

    unchanged = {key for key in measured if key[1].startswith("shannon")}
    same = [key for key in unchanged if key[0].removeprefix("track_") in COUNTERS]
    same = [key for key in same if not math.isnan(before[key])]
    assert len(same) >= 18
    assert all(before[key] == after[key] for key in same)


def check_what_compare_said(scratch, output):
    page = scratch / "results" / "comparison" / "index.html"
    comment = (page.parent / "comment.md").read_text()
    headline = comment.splitlines()[0]
    assert headline in output
    assert "regressed" in headline
    assert " of simpson:value" in headline
    assert "simpson:value_and_grad | 4096 | temp_bytes | regressed" in comment
    assert "simpson:value_and_grad | 4096 | call_seconds | regressed" in comment
    assert "shannon:value | 4096 | call_seconds | regressed" not in comment
    assert headline.strip("*").split(";")[0] in page.read_text()
