"""Text of a results file is text in the Markdown pages: no HTML, no link, no new column."""

import json
import re

import pytest

from reports.sources.results import read_results
from reports.sweep.page import build_report
from tests.reports.written import all_records, record, sweep

HOSTILE = "<script>alert(1)</script> | ![x](http://x) `y`\n\n<img src=x> & [z](javascript:1)"
SHOWN = "&#60;script&#62;alert(1)&#60;/script&#62; &#124; !&#91;x&#93;(http://x)"

pytestmark = pytest.mark.usefixtures("without_plots")


def assert_harmless(markdown):
    ours = r"</?(details|summary)>"
    assert "<" not in re.sub(ours, "", markdown)
    assert SHOWN in markdown
    assert "](" not in markdown
    columns = {}
    for at, line in enumerate(markdown.splitlines()):
        if line.startswith("| ---"):
            columns["now"] = line.count("|")
        elif line.startswith("|") and at and "now" in columns:
            assert line.count("|") == columns["now"], line
        elif not line.startswith("|"):
            columns.clear()


def test_the_report_shows_text_of_a_sweep_as_it_is(tmp_path):
    failed = record("shannon", "flops", None, status="failed", detail=HOSTILE)
    environment = dict.fromkeys(("os", "cpu", "machine", "command", "xla_flags"), HOSTILE)
    path = sweep(tmp_path / "sweep.json", [*all_records(), failed], **environment)
    content = json.loads(path.read_text())
    content["ratios"][0]["other"] = HOSTILE
    content["data_digests"] = {HOSTILE: "ab"}
    content["records"].append({**content["records"][0], "metric": HOSTILE})
    path.write_text(json.dumps(content))
    page = build_report(read_results([path]), tmp_path / "page")
    markdown = (page.parent / "report.md").read_text()
    assert_harmless(markdown)
    assert markdown.count(SHOWN) >= 7
    assert "<script>alert" not in page.read_text()
