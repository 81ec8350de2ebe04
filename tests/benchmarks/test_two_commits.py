"""asv measures the code of the commit, not of the working tree."""

import json
import math

import pytest

from benchmarks.schema.metrics import METRICS
from reports.rules.verdicts import DETERMINISTIC
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


def test_asv_tells_two_commits_apart(scratch):
    python(scratch, "asv", "machine", "--yes")
    measured = python(scratch, "asv", "continuous", "--interleave-rounds", "main~1", "main")
    assert measured.returncode == 1, measured.stdout + measured.stderr  # asv: it got worse
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
