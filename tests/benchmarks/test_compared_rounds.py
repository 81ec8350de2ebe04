"""`compare` builds both commits, measures each one's own library, and says what differs."""

import json

import pytest

from tests.scratch import commit, git, python

pytestmark = pytest.mark.slow


def test_a_slower_loss_is_named_first_and_nothing_else_alarms(scratch):
    compared = python(scratch, "reports", "compare", "main~1", "main")
    assert compared.returncode == 1, compared.stdout + compared.stderr
    headline, comment = compared.stdout.splitlines()[0], compared.stdout
    assert headline.startswith("**Fails:")
    assert " of simpson:value" in headline
    rows = [line for line in comment.splitlines() if "| regressed" in line]
    assert any("simpson:value_and_grad | 4096 | call_seconds | regressed" in row for row in rows)
    assert any("temp_bytes | regressed" in row for row in rows)
    assert not any(row.startswith("| shannon") for row in rows)
    assert headline.strip("*").split(";")[0] in page_of(scratch)
    check_sides(scratch)

    itself = python(scratch, "reports", "compare", "main~1", "main", "--results=results/rounds")
    assert (itself.returncode, itself.stdout.splitlines()[0]) == (1, headline)


def page_of(scratch):
    return (scratch / "results" / "comparison" / "index.html").read_text()


def check_sides(scratch):
    """Both stages have rounds of both sides, of the commits that were named."""
    content = json.loads((scratch / "results" / "rounds" / "rounds.json").read_text())
    named = {"base": git(scratch, "rev-parse", "main~1"), "head": git(scratch, "rev-parse", "main")}
    assert {side: held["description"]["commit"] for side, held in content["sides"].items()} == named
    processes = {(row["stage"], row["round"], row["side"]) for row in content["rows"]}
    assert {(stage, side) for stage, _, side in processes} == {
        (stage, side) for stage in ("first", "again") for side in named
    }
    assert len([stage for stage, *_ in processes if stage == "first"]) >= 16


def test_a_commit_that_cannot_be_built_is_named(scratch):
    (scratch / "pyproject.toml").write_text("[project]\n")
    commit(scratch)
    compared = python(scratch, "reports", "compare", "main~1", "main")
    assert compared.returncode == 2
    assert "pip" in compared.stderr
