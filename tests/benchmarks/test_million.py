"""The run on a million cells, at the size of a test."""

import json

import numpy as np
import pytest
from click.testing import CliRunner

from benchmarks.__main__ import main

pytestmark = pytest.mark.slow


def test_every_phase_runs_in_its_own_process_and_reports_its_peak(tmp_path):
    path = tmp_path / "million.json"
    result = CliRunner().invoke(main, ["million", "--n-cells", "3000", "--json", str(path)])
    assert result.exit_code == 0, result.output
    rows = {row["phase"]: row for row in json.loads(path.read_text())}
    assert list(rows) == ["simulate", "exact", "approximate index", "precomputed"]
    assert all(0 < row["peak_resident_gb"] < 5 for row in rows.values())
    assert rows["approximate index"]["recall"] > 0.9
    exact, precomputed = rows["exact"], rows["precomputed"]
    assert exact["seconds"] > 0
    assert np.isfinite(exact["gradient_norm"])
    assert exact["loss"] == pytest.approx(precomputed["loss"], rel=0.05)
