"""The page "How this is judged" says the rules that hold, and how often they err."""

import re

import pandas as pd

from reports.commits import time_verdicts
from reports.commits.errors import coverage
from reports.commits.errors.error_rates import TABLE
from reports.commits.errors.simulation import N_TIMES
from reports.commits.method import METHOD_PAGE, write_method


def test_the_page_has_the_numbers_of_the_rules_and_every_row_of_the_table(tmp_path):
    write_method(tmp_path)
    page = " ".join((tmp_path / METHOD_PAGE).read_text().split())
    for words in (
        f"in {time_verdicts.FIRST_ROUNDS} rounds",
        f"in {time_verdicts.AGAIN_ROUNDS} fresh rounds",
        f"p ≤ {time_verdicts.OPEN_LEVEL} and the effect is larger than 5 %",
        f"procedure at {100 * time_verdicts.TEST_LEVEL:.3g} %",
        f"at most {100 * time_verdicts.RATE:.3g} % of the reports name anything",
        f"at least {time_verdicts.FEWEST_FIRST_ROUNDS} rounds a side",
        f"at least {time_verdicts.FEWEST_TO_EXCLUDE} rounds a side",
        f"{N_TIMES} times were simulated",
    ):
        assert words in page, words
    table = pd.read_csv(TABLE)
    for row in table.itertuples():
        cells = re.search(rf'<th scope="row">{row.model}</th>(.*?)</tr>', page)[1]
        numbers = re.findall(r">([\d.]+)(?: %)?</td>", cells)
        assert [float(number) for number in numbers] == [
            row.reports, row.false_alarms,
            float(f"{100 * row.found_10:.3g}"), row.false_alarms_10,
            float(f"{100 * row.found_20:.3g}"), row.false_alarms_20,
        ]  # fmt: skip
    assert f"Of {table['reports'].sum()} simulated reports in which nothing changed" in page
    held = re.search("How often an interval holds(.*?)</table>", page)[1]
    for row in pd.read_csv(coverage.TABLE).itertuples():
        shares = re.search(rf'"number">{row.rounds}</th>(.*?)</tr>', held)[1]
        shown = [float(share) for share in re.findall(r'data-value="([^"]*)"', shares)]
        assert shown == [row.with_ends, row.held, row.lowest, row.excluding, row.true]
