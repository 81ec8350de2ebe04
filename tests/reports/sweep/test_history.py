"""A page shows the newest commits of a long history; a table beside it has all of them."""

import pandas as pd
import pytest

from reports.sources.results import read_results
from reports.sweep import history
from reports.sweep.page import build_report
from tests.reports.written import CALL, OTHER, PROGRAM, asv

NEWEST = 5


def built(folder, n_commits):
    for day in range(n_commits):
        measurements = {CALL: {PROGRAM: 1.0 + day, OTHER: 0.5}}
        path = asv(folder / "asv", "a", day, measurements)
        path.write_text(path.read_text().replace(40 * "a", f"{day:040x}"))
        path.rename(path.with_name(f"{day:08x}.json"))
    read = read_results([folder / "asv"])
    return read, build_report(read, folder / "page")


@pytest.mark.usefixtures("without_plots")
def test_the_page_does_not_grow_with_the_commits(tmp_path, monkeypatch):
    monkeypatch.setattr(history, "NEWEST_COMMITS", NEWEST)
    few, many = (built(tmp_path / str(n), n)[1] for n in (10, 90))
    assert abs(many.stat().st_size - few.stat().st_size) < 50
    table = pd.read_csv(many.with_name("measurements.csv"))
    assert table["commit"].nunique() == 90
    assert '<a download="measurements.csv" href="measurements.csv">' in many.read_text()


def test_a_history_has_the_newest_commits_oldest_first(tmp_path, monkeypatch):
    monkeypatch.setattr(history, "NEWEST_COMMITS", NEWEST)
    monkeypatch.setattr("reports.sweep.page.plots", lambda *_: ())
    found = {
        one.benchmark: one for one in history.histories(built(tmp_path, 9)[0].measurements.frame)
    }
    assert found[PROGRAM].values == (5.0, 6.0, 7.0, 8.0, 9.0)
    assert found[PROGRAM].commits == tuple(f"{day:040x}" for day in range(4, 9))
