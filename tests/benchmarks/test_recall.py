"""Recall is counted against exact neighbours, and the command measures every search."""

import json

import numpy as np
import pytest
from click.testing import CliRunner

from benchmarks.__main__ import main
from benchmarks.measure.long.recall import recall
from benchmarks.schema.suite import MIXING_NEIGHBORS
from diffbio.neighbors import nearest_neighbors


def test_recall_is_the_share_of_the_exact_neighbors_that_were_found():
    x = np.random.default_rng(0).normal(size=(300, 5)).astype(np.float32)
    found = np.array(nearest_neighbors(x, MIXING_NEIGHBORS).indices)
    assert recall(x, found) == 1
    found[:, 5:] = -1
    assert recall(x, found) == pytest.approx(1 / 3)


@pytest.mark.slow
def test_every_search_is_measured(tmp_path):
    pytest.importorskip("pynndescent")
    path = tmp_path / "recall.json"
    result = CliRunner().invoke(main, ["recall", "--cells", "6000", "--json", str(path)])
    assert result.exit_code == 0, result.output
    written = json.loads(path.read_text())
    assert written["environment"]["date"]
    rows = {row["search"]: row for row in written["searches"]}
    assert list(rows) == [
        "exact",
        "ivf, 7 of 77 lists",
        "ivf, 14 of 77 lists",
        "ivf, 27 of 77 lists",
        "pynndescent",
    ]
    assert all(row["n_cells"] == 6000 and row["seconds"] > 0 for row in rows.values())
    assert rows["exact"]["recall"] == 1
    assert all(row["recall"] > 0.9 for row in rows.values())
