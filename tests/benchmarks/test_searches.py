"""Searches of many cells, at the size of a test; recall is counted against exact neighbours."""

import json

import numpy as np
import pytest
from click.testing import CliRunner

from benchmarks.__main__ import main
from benchmarks.measure.long.searches import recall
from benchmarks.schema.suite import MIXING_NEIGHBORS
from diffbio.neighbors import nearest_neighbors


def test_recall_is_the_share_of_the_exact_neighbors_that_were_found():
    x = np.random.default_rng(0).normal(size=(300, 5)).astype(np.float32)
    found = np.array(nearest_neighbors(x, MIXING_NEIGHBORS).indices)
    assert recall(x, found) == 1
    found[:, 5:] = -1
    assert recall(x, found) == pytest.approx(1 / 3)


def written_by(path, *arguments):
    result = CliRunner().invoke(main, [*arguments, "--json", str(path)])
    assert result.exit_code == 0, result.output
    return json.loads(path.read_text())


@pytest.mark.slow
def test_every_search_is_measured(tmp_path):
    written = written_by(tmp_path / "recall.json", "recall", "--cells", "6000")
    assert written["environment"]["date"]
    rows = {row["search"]: row for row in written["searches"]}
    assert list(rows) == [
        "exact",
        "ivf, 5 of 77 lists",
        "ivf, 9 of 77 lists",
        "ivf, as many lists as by default",
    ]
    assert all(row["n_cells"] == 6000 and row["seconds"] > 0 for row in rows.values())
    assert rows["exact"]["recall"] == 1
    assert all(row["recall"] > 0.8 for row in rows.values())


@pytest.mark.slow
def test_every_phase_runs_in_its_own_process_and_reports_its_peak(tmp_path):
    found = written_by(tmp_path / "million.json", "million", "--n-cells", "2000")
    rows = {row["phase"]: row for row in found}
    assert list(rows) == ["simulate", "exact", "approximate index", "precomputed"]
    assert all(0 < row["peak_resident_gb"] < 5 for row in rows.values())
    assert rows["approximate index"]["recall"] > 0.9
    exact, precomputed = rows["exact"], rows["precomputed"]
    assert exact["seconds"] > 0
    assert np.isfinite(exact["gradient_norm"])
    assert exact["loss"] == pytest.approx(precomputed["loss"], rel=0.05)
