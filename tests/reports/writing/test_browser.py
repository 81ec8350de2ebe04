"""The page in a real browser: no request to anywhere, no error, tables that sort and filter."""

import numpy as np
import pytest

from benchmarks.schema.suite import LOSSES
from reports.commits.judge import judge_change
from reports.commits.page import build_change_page
from reports.sources.results import read_results
from reports.sweep.page import build_report
from tests.browser import browser as browser
from tests.reports.written import BASE, HEAD, all_records, change, sweep
from tests.reports.written_rounds import rounds, with_seconds

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def page_path(tmp_path_factory):
    folder = tmp_path_factory.mktemp("page")
    read = read_results([sweep(folder / "sweep.json", all_records())])
    return build_report(read, folder / "report")


@pytest.fixture(scope="module")
def comparison_path(tmp_path_factory):
    """A time that scatters and got worse, and temporary memory of several sizes."""
    folder = tmp_path_factory.mktemp("comparison")
    seconds = np.array([8e-3, 8.5e-3, 9e-3, 9.9e-3, 10.1e-3, 11e-3, 11.5e-3, 12e-3])
    changed = {"temp_bytes": 4_000_000, "output_bytes": 80_000, "hlo_fingerprint": "bb"}
    rounds(folder, slower={"call_seconds": 2.0}, **changed)
    with_seconds(folder, seconds, 2 * seconds)
    for path in folder.glob("*.json"):
        path.write_text(path.read_text().replace("simpson", "batch_mixing_precomputed"))
    return build_change_page(judge_change(folder, BASE, HEAD), change(), folder / "page")


@pytest.fixture
def opened(browser, page_path):
    """The page at some width and in some scheme, and what it asked for and complained of."""

    def open_page(width=1600, scheme="light", path=page_path):
        view = browser.new_page(viewport={"width": width, "height": 900}, color_scheme=scheme)
        view.requests, view.complaints = [], []
        view.on("request", lambda request: view.requests.append(request.url))
        view.on("console", lambda message: view.complaints.append(message.text))
        view.on("pageerror", lambda error: view.complaints.append(str(error)))
        view.goto(path.as_uri())
        return view

    return open_page


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [400, 1600])
def test_it_asks_nobody_complains_of_nothing_and_fits_the_width(opened, page_path, width, scheme):
    view = opened(width, scheme)
    assert view.requests == [page_path.as_uri()]
    assert view.complaints == []
    assert view.evaluate("document.documentElement.scrollWidth") <= width
    colour = view.evaluate("getComputedStyle(document.body).backgroundColor")
    assert (sum(map(int, colour[4:-1].split(","))) > 384) == (scheme == "light")
    assert page_path.stat().st_size < 3_000_000


def column(view, table, at):
    return view.locator(table).locator(f"tbody tr:visible > :nth-child({at})").all_inner_texts()


def test_tables_sort_by_mouse_and_keyboard(opened):
    view = opened()
    costs = "[aria-label='Time per call (ms)'] table"
    agreement = "[aria-label='Agreement'] table"
    losses = column(view, agreement, 1)
    head = view.locator(f"{agreement} th").first
    head.get_by_role("button").click()
    assert column(view, agreement, 1) == sorted(losses)
    assert head.get_attribute("aria-sort") == "ascending"
    head.get_by_role("button").press("Enter")
    assert column(view, agreement, 1) == sorted(losses, reverse=True)
    assert head.get_attribute("aria-sort") == "descending"
    assert column(view, costs, 1) == losses
    assert view.complaints == []


def test_numbers_sort_as_numbers(opened):
    view = opened()
    view.evaluate(
        """() => {
          const cells = document.querySelectorAll("[aria-label='Agreement'] tbody td:nth-child(2)");
          const texts = ["9", "1e-7", "10", "not measured", "2.5e3", "-"];
          texts.forEach((text, at) => { cells[at].textContent = text; });
        }"""
    )
    view.locator("[aria-label='Agreement'] th").nth(1).get_by_role("button").click()
    sorted_cells = column(view, "[aria-label='Agreement'] table", 2)
    assert [c for c in sorted_cells if c in ("9", "10", "2.5e3")] == ["9", "10", "2.5e3"]
    assert set(sorted_cells[-2:]) == {"not measured", "-"}


def test_tables_filter_by_all_words(opened):
    view = opened()
    box = view.get_by_role("searchbox").first
    box.fill("BATCH local")
    assert column(view, "[aria-label='Agreement'] table", 1) == ["batch_mixing_local"]
    assert f"1 of {len(LOSSES)}" in view.locator(".filter output").first.inner_text()
    box.fill("")
    assert len(column(view, "[aria-label='Agreement'] table", 1)) == len(LOSSES)


def test_plots_are_described_and_their_numbers_offered(opened):
    view = opened()
    plots = view.locator("figure[role=img]")
    assert plots.count() == 5
    for at in range(5):
        assert len(plots.nth(at).get_attribute("aria-label")) > 40
    with view.expect_download() as download:
        view.locator("a[download='lower-bounds.csv']").click()
    assert download.value.path().read_text().startswith("loss,transform,n_cells,other")


def test_the_first_screen_shows_the_speed(opened):
    box = opened().locator("[aria-label='Speed']").bounding_box()
    assert box["y"] + box["height"] < 900


def test_verdicts_fit_the_screen_with_p_threshold_and_note(opened, comparison_path):
    view = opened(path=comparison_path)
    assert view.complaints == []
    table = view.locator("table.data").first
    assert "unstable" in table.inner_text()
    heads = table.locator("th")
    assert {"p", "threshold", "note"} <= set(heads.all_inner_texts())
    for head in heads.all():
        box = head.bounding_box()
        assert box["x"] + box["width"] <= 1600
    assert table.evaluate("table => table.parentElement.scrollWidth") <= 1600


def test_the_comparison_and_its_headline_fit_a_telephone(opened, comparison_path):
    view = opened(400, path=comparison_path)
    headline = view.locator(".headline")
    assert "batch_mixing_precomputed:value_and_grad" in headline.inner_text()
    assert headline.evaluate("text => text.scrollWidth <= text.clientWidth")
    assert view.evaluate("document.documentElement.scrollWidth") <= 400


def test_quantities_sort_by_their_size_whatever_their_unit(opened, comparison_path):
    view = opened(path=comparison_path)
    table = view.locator("table.data").first
    table.get_by_role("button", name="after ± IQR (n)").click()
    after = table.locator("tbody tr > :nth-child(10)").all_inner_texts()
    assert [text.split(" ±")[0] for text in after] == ["18.9 ms", "80.0 kB", "4.00 MB"]
