"""Two commits measured in rounds: the verdicts, the page and the exit code."""

import json
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner

from benchmarks.schema.files import UnwritableError, reserved
from reports.__main__ import main
from reports.commits import change as commits
from reports.commits import measure
from reports.commits.change import Commit
from reports.commits.judge import judge_change
from reports.commits.page import build_change_page
from reports.rules.verdicts import Answer, Verdict
from reports.sources.measurements import DamagedError
from reports.writing.quantities import number
from tests.reports.written import BASE, HEAD, change
from tests.reports.written_rounds import rounds, with_seconds

SIMPSON = "simpson:value_and_grad"
HOSTILE = "<script>alert(1)</script> | ![x](http://x) `y`"


def compared(folder, **changes):
    return judge_change(rounds(folder, **changes), BASE, HEAD)


def verdict(comparison, metric, benchmark=SIMPSON):
    rows = comparison.verdicts
    (found,) = rows[(rows["metric"] == metric) & (rows["benchmark"] == benchmark)]["verdict"]
    return found


def test_equal_commits_pass_and_say_what_their_times_exclude(tmp_path):
    found = compared(tmp_path)
    assert (found.answer, found.listed.empty, found.n_tested) == (Answer.PASSES, True, 2)
    assert list(found.undetected.index) == ["shannon", "simpson"]
    assert list(found.undetected) == ["call_seconds", "cold_compile_seconds"]
    assert ((found.undetected > 0) & (found.undetected < 0.1)).all(axis=None)
    page = build_change_page(found, change(), tmp_path / "page")
    assert "What the times exclude" in page.read_text()
    assert "2 times were tested together" in page.read_text()  # calls of one program are not
    assert "at most 5\N{NO-BREAK SPACE}% of such comparisons name any by chance" in page.read_text()
    assert "Measured on A processor, 2 cores, by jax 0.10.2." in page.read_text()
    assert "Nothing got worse or better" in page.read_text()
    assert "8 of 8 first rounds were held, and nothing was open" in page.read_text()
    assert "How often this errs" in (page.parent / "method.html").read_text()


@pytest.mark.parametrize("metric", ["call_seconds", "cold_compile_seconds"])
def test_a_slower_loss_is_the_first_row_and_the_only_one(tmp_path, metric):
    found = compared(tmp_path, slower={metric: 1.3}, hlo_fingerprint="bb")
    first = found.listed.iloc[0]
    assert (first["benchmark"], first["metric"], first["verdict"]) == (SIMPSON, metric, "regressed")
    assert first["ratio"] == pytest.approx(1.3, rel=0.05)
    assert first["low"] < 1.3 < first["high"]
    page = build_change_page(found, change(), tmp_path / "page").read_text()
    assert f"({number(first['low'])} to {number(first['high'])})" in page
    assert "now, as a ratio to the lower bound." in page
    assert (len(found.listed), found.answer) == (1, Answer.PASSES)  # times inform
    slower = judge_change(tmp_path, BASE, HEAD, on_time=True)
    assert slower.answer == Answer.FAILS


@pytest.mark.parametrize(
    ("change", "metric"),
    [({"temp_bytes": 4 * 10**6}, "temp_bytes"), ({"value_error": 1e-3}, "value_error")],
)
def test_counters_and_errors_decide(tmp_path, change, metric):
    found = compared(tmp_path, **change, hlo_fingerprint="bb")
    assert (verdict(found, metric), found.answer) == ("regressed", Answer.FAILS)


def test_one_sentence_comes_first_then_what_moved_then_the_rest(tmp_path):
    found = compared(tmp_path, temp_bytes=4_567_890, hlo_fingerprint="bb")
    page = build_change_page(found, change(), tmp_path / "page")
    first = (
        "Fails: 1 regressed, 0 improved, 8 unchanged, 1 changed; worst: "
        f"temp_bytes of {SIMPSON} at 4096 cells, 1.00 MB before, 4.57 MB now."
    )
    comment, text = (page.parent / "comment.md").read_text(), page.read_text()
    assert comment.startswith(f"**{first}** head (cccccccc) against base (bbbbbbbb).\n\n8 of 8")
    assert "Measured on A processor, 2 cores, by jax 0.10.2; 1 row fails the change." in comment
    assert "| regressed | memory | 1 | 4.57 | 4.57 | 4.57 |" in comment
    places = [text.index(part) for part in (first, "Got worse, got better", "<details>")]
    assert places == sorted(places)
    for title in ("benchmark", "cells", "device", "metric", "better", "verdict", "ratio",
                  "before ± IQR (n)", "after ± IQR (n)", "p", "threshold"):  # fmt: skip
        assert f">{title}</th>" in text


def test_among_the_rest_comes_first_what_one_may_wonder_about(tmp_path):
    found = compared(tmp_path, slower={"call_seconds": 1.3})  # by the same program: noise
    first = found.folded.iloc[0]
    assert (first["benchmark"], first["metric"], first["verdict"]) == (
        SIMPSON, "call_seconds", "noise",
    )  # fmt: skip


@pytest.mark.parametrize(
    ("seconds", "unstable"),
    [
        (np.linspace(0.0100, 0.0101, 8), False),
        ([0.009, 0.009, 0.009, 0.01, 0.01, 0.0115, 0.0115, 0.0115], True),
        (np.linspace(0.000500, 0.000505, 8), True),
    ],
    ids=["steady", "scattered", "short"],
)
def test_instability_is_said(tmp_path, seconds, unstable):
    found = judge_change(with_seconds(rounds(tmp_path), seconds, seconds), BASE, HEAD)
    rows = found.verdicts
    assert rows[rows["unstable"]]["metric"].tolist() == ["call_seconds"] * unstable
    page = build_change_page(found, change(), tmp_path / "page").read_text()
    assert (">unstable" in page) == unstable


def test_where_nothing_was_measured_there_is_no_pass(tmp_path):
    found = compared(tmp_path)
    nothing = found.verdicts.assign(verdict=Verdict.ABSENT)
    assert replace(found, verdicts=nothing).answer == Answer.UNJUDGED


def test_the_comment_stays_short_and_the_page_whole(tmp_path):
    found = compared(tmp_path, temp_bytes=4 * 10**6)
    worse = found.listed.iloc[:1]
    many = [worse.assign(benchmark=f"program{at}:value") for at in range(3000)]
    found = replace(found, verdicts=pd.concat(many, ignore_index=True))
    page = build_change_page(found, change(), tmp_path / "page")
    comment, rows = ((page.parent / name).read_text() for name in ("comment.md", "verdicts.csv"))
    assert len(comment.encode()) < 60_000
    assert "and 2950 more on the page" in comment
    assert page.read_text().count("program17:value") == rows.count("program17:value") == 1


def test_what_vanishes_passes_if_the_change_renews_the_baseline(tmp_path):
    rounds(tmp_path, absent=["simpson"])
    found = judge_change(tmp_path, BASE, HEAD, baseline_renewed=True)
    assert (found.answer, set(found.listed["verdict"])) == (Answer.PASSES, {"removed"})
    page = build_change_page(found, change(), tmp_path / "page").read_text()
    assert "The change renews the baseline" in page


def test_a_row_that_cannot_be_read_is_named_and_shown_as_text(tmp_path):
    path = rounds(tmp_path) / "rounds.json"
    content = json.loads(path.read_text())
    content["rows"][0]["metric"] = HOSTILE
    content["environment"]["cpu"] = content["environment"]["command"] = HOSTILE
    path.write_text(json.dumps(content))
    found = judge_change(tmp_path, BASE, HEAD)
    assert found.answer == Answer.UNJUDGED
    page = build_change_page(found, change(), tmp_path / "page")
    comment = (page.parent / "comment.md").read_text()
    for text in (comment, page.read_text()):
        assert "rounds.json" in text
        assert "<script>alert" not in text
    assert comment.count("&#60;script&#62;") >= 3


def test_a_loss_that_vanishes_or_fails_is_told(tmp_path):
    gone = compared(tmp_path, absent=["simpson"])
    assert {verdict(gone, name) for name in ("call_seconds", "temp_bytes")} == {"removed"}
    assert gone.answer == Answer.FAILS
    failed = compared(tmp_path, absent=["simpson"], failures={SIMPSON: "ValueError: no"})
    assert verdict(failed, "call_seconds") == "failing"
    row = failed.verdicts[failed.verdicts["verdict"] == "failing"].iloc[0]
    assert row["detail"] == "ValueError: no"


def test_a_loss_that_is_new_is_added_and_fails_nothing(tmp_path):
    """The base and the head of the test before, exchanged."""
    path = rounds(tmp_path, absent=["simpson"]) / "rounds.json"
    content = json.loads(path.read_text())
    for row in content["rows"]:
        row["side"] = {"base": "head", "head": "base"}[row["side"]]
    path.write_text(json.dumps(content))
    path = tmp_path / "counters.json"
    content = json.loads(path.read_text())
    base, head = content["sweeps"].values()
    base["records"], head["records"] = head["records"], base["records"]
    path.write_text(json.dumps(content))
    found = judge_change(tmp_path, BASE, HEAD)
    assert {verdict(found, name) for name in ("call_seconds", "temp_bytes")} == {"added"}
    assert found.answer == Answer.PASSES


def test_between_releases_of_jax_counters_are_not_comparable_and_the_rest_is(tmp_path):
    found = compared(
        tmp_path,
        jax=("0.10.1", "0.10.2"),
        temp_bytes=4 * 10**6,
        hlo_fingerprint="bb",
        slower={"call_seconds": 1.3},
    )
    assert verdict(found, "temp_bytes") == verdict(found, "hlo_fingerprint") == "not comparable"
    assert verdict(found, "call_seconds") == "regressed"
    assert found.answer == Answer.PASSES
    page = build_change_page(found, change(), tmp_path / "page").read_text()
    assert "jax 0.10.1 before, 0.10.2 after" in page


def test_ratios_to_other_lower_bounds_carry_no_verdict(tmp_path):
    """Bounds that got faster make all ratios larger, and no loss slower."""
    same = compared(tmp_path / "same").verdicts["measured_by"].dropna()
    assert set(same) == {"ratio to the lower bound"}
    other = compared(tmp_path / "other", bounds="cd", hlo_fingerprint="bb")
    assert set(other.verdicts["measured_by"].dropna()) == {"seconds"}
    assert other.listed.empty
    releases = compared(tmp_path / "releases", jax=("0.10.1", "0.10.2"))
    assert set(releases.verdicts["measured_by"].dropna()) == {"seconds"}


@pytest.fixture
def named(monkeypatch):
    def named(base, head, *, direct):
        found = {"base": Commit(BASE, "base", ""), "head": Commit(HEAD, "head", "")}
        return change(base=found[base], head=found[head], direct=direct)

    monkeypatch.setattr(commits, "change_between", named)
    monkeypatch.setattr(commits, "renews_baseline", lambda *_: False)


def compare(*arguments):
    return CliRunner().invoke(main, ["compare", *map(str, arguments)])


@pytest.mark.usefixtures("named")
def test_the_command_judges_rounds_that_are_there(tmp_path):
    results, output = (
        rounds(tmp_path / "rounds", slower={"call_seconds": 1.3}, hlo_fingerprint="bb"),
        tmp_path / "page",
    )
    found = compare("base", "head", f"--results={results}", f"--output={output}")
    assert (found.exit_code, found.output.startswith("**Passes: 1 regressed")) == (0, True)
    gated = compare("base", "head", f"--results={results}", f"--output={output}", "--gate-on-time")
    assert gated.exit_code == 1
    other = compare("head", "base", f"--results={results}", f"--output={output}")
    assert other.exit_code == 2
    assert "holds rounds of bbbbbbbb and cccccccc, not of cccccccc and bbbbbbbb" in other.stderr


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        ({"rounds_version": 99}, "rounds_version: Input should be 1, not 99"),
        ({"rows": []}, "no round was measured"),
        ({"sides": {}}, "sides: Dictionary should have at least 2 items"),
    ],
)
def test_damaged_rounds_are_named(tmp_path, damage, said):
    path = rounds(tmp_path) / "rounds.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **damage}))
    with pytest.raises(DamagedError, match=said):
        judge_change(tmp_path, BASE, HEAD)


def with_row(folder, **row):
    """Rounds with one more row, which is the first one but for what is given."""
    path = rounds(folder) / "rounds.json"
    content = json.loads(path.read_text())
    content["rows"].append({**content["rows"][0], **row})
    path.write_text(json.dumps(content))
    return judge_change(folder, BASE, HEAD)


@pytest.mark.parametrize("seconds", [None, 9.0])
def test_a_process_with_two_times_of_a_figure_is_named(tmp_path, seconds):
    """Whether or not they agree."""
    row = {} if seconds is None else {"seconds": seconds}
    with pytest.raises(DamagedError, match=r"rounds\.json: rows: 1 times stand twice, first that"):
        with_row(tmp_path, **row)


def test_rounds_are_judged_however_they_are_numbered(tmp_path):
    found = with_row(tmp_path, round=10**15)
    assert found.answer == Answer.PASSES


@pytest.mark.parametrize("side", ["base", "head"])
def test_the_sweep_of_another_commit_is_refused(tmp_path, side):
    path = rounds(tmp_path) / "counters.json"
    content = json.loads(path.read_text())
    content["sweeps"][side]["environment"]["commit"] = "1" * 40
    path.write_text(json.dumps(content))
    with pytest.raises(DamagedError, match=f"the sweep of the {side} is of 1111"):
        judge_change(tmp_path, BASE, HEAD)


@pytest.mark.parametrize(
    ("field", "other"),
    [
        ("commit", "1" * 40), ("tree", "1" * 40), ("jax", "0.10.1"), ("program", "1" * 40),
        ("changes", "abc"), ("lower_bounds", "12"), ("choices", {"XLA_FLAGS": "--fast"}),
    ],
)  # fmt: skip
@pytest.mark.parametrize("side", ["base", "head"])
def test_counters_of_other_sides_than_those_that_were_timed_are_refused(
    tmp_path, side, field, other
):
    path = rounds(tmp_path, temp_bytes=4 * 10**6) / "counters.json"
    content = json.loads(path.read_text())
    content["sides"][side][field] = other
    path.write_text(json.dumps(content))
    with pytest.raises(
        DamagedError, match=rf"counters\.json: not of the {side} in rounds\.json: {field} is"
    ):
        judge_change(tmp_path, BASE, HEAD)


def test_two_comparisons_do_not_measure_into_one_folder(tmp_path, monkeypatch):
    monkeypatch.setattr(measure, "_run", lambda *_: pytest.fail("it was measured"))
    with reserved(tmp_path / "rounds"), pytest.raises(UnwritableError, match="another run"):
        measure.measure_commits(tmp_path / "rounds", change(), (), minutes=5)


def test_the_command_on_the_page_is_the_one_that_measured(tmp_path):
    path = rounds(tmp_path) / "rounds.json"
    content = json.loads(path.read_text())
    command = "DIFFBIO_BENCH_LOSSES=simpson python -m reports compare bbbbbbbb cccccccc --minutes 2"
    content["environment"]["command"] = command
    path.write_text(json.dumps(content))
    for on_time, expected in ((False, command), (True, f"{command} --gate-on-time")):
        found = judge_change(tmp_path, BASE, HEAD, on_time=on_time)
        page = build_change_page(found, change(), tmp_path / "page")
        assert f"Reproduce: <code>{expected}</code>" in page.read_text()
        assert f"Reproduce: `{expected}`" in (page.parent / "comment.md").read_text()


def without(folder, **least):
    """Rounds that ended early: those from a number on are left out, by stage."""
    path = folder / "rounds.json"
    content = json.loads(path.read_text())
    kept = [row for row in content["rows"] if row["round"] < least.get(row["stage"], 99)]
    path.write_text(json.dumps({**content, "rows": kept, "seconds": {"first": [30.0] * 8}}))
    return folder


@pytest.mark.usefixtures("named")
def test_a_slowdown_is_named_though_time_ran_out_and_the_comment_says_so_first(tmp_path):
    results = rounds(tmp_path / "rounds", slower={"call_seconds": 1.3}, hlo_fingerprint="bb")
    arguments = ("base", "head", f"--results={without(results, again=2)}")
    found = compare(*arguments, f"--output={tmp_path / 'page'}", "--gate-on-time")
    headline, _, held, *_ = found.output.splitlines()
    assert (found.exit_code, "call_seconds of simpson" in headline) == (1, True)
    assert held == "8 of 8 first rounds were held, and 2 of 20 second rounds were held."
    told = judge_change(results, BASE, HEAD, minutes_needed=14).held
    assert str(told) == f"{held} All of them take --minutes 14 here."


def test_a_round_of_one_side_alone_was_not_held(tmp_path):
    path = rounds(tmp_path) / "rounds.json"
    content = json.loads(path.read_text())
    content["rows"] = [row for row in content["rows"] if (row["side"], row["round"]) != ("head", 7)]
    path.write_text(json.dumps(content))
    held = judge_change(tmp_path, BASE, HEAD).held
    assert (held.first, held.complete) == (7, False)


def test_rounds_of_before_do_not_outlive_a_comparison_that_stops(tmp_path, monkeypatch):
    """Whatever is judged there afterwards was measured by it."""
    folder = rounds(tmp_path / "rounds")
    ended = SimpleNamespace(returncode=2)
    monkeypatch.setattr("reports.sources.measuring.run_child", lambda *_, **__: ended)
    with pytest.raises(DamagedError, match="benchmarks counters did not finish"):
        measure.measure_commits(folder, change(), (), minutes=5)
    assert "rounds.json" not in {path.name for path in folder.iterdir()}


@pytest.mark.usefixtures("named")
def test_what_was_not_judged_does_not_pass(tmp_path):
    results = rounds(tmp_path / "rounds", hlo_fingerprint="bb")
    arguments = ("base", "head", f"--results={without(results, first=3)}")
    found = compare(*arguments, f"--output={tmp_path / 'page'}")
    assert found.exit_code == 0  # the counters decide, and were judged
    assert found.output.startswith("**Passes, 3 measurements not judged: 0 regressed")
    assert "| undecided; " in found.output
    assert "at least 4 rounds are needed" in found.output
    gated = compare(*arguments, f"--output={tmp_path / 'page'}", "--gate-on-time")
    assert (gated.exit_code, gated.output.startswith("**Cannot be judged: ")) == (2, True)


def test_calls_of_one_program_are_not_tested_and_have_no_mean(tmp_path):
    found = compared(tmp_path)
    tested = found.verdicts[found.verdicts["tested"].eq(True)]
    assert set(tested["metric"]) == {"cold_compile_seconds"}
    assert found.time_per_loss.empty
    other = compared(tmp_path, hlo_fingerprint="bb")
    assert (other.n_tested, list(other.time_per_loss.index)) == (3, ["simpson"])


def test_what_seems_to_change_is_measured_again_and_nothing_else(tmp_path, monkeypatch):
    asked = []
    now = [0.0]

    def asks(*arguments):
        asked.append(arguments)
        path.write_text(json.dumps(content))
        now[0] += {"counters": 45.0}.get(arguments[0], 8 * 30.0)

    monkeypatch.setattr(measure, "_run", asks)
    monkeypatch.setattr(measure.time, "monotonic", lambda: now[0])
    rounds(tmp_path, slower={"call_seconds": 1.3}, hlo_fingerprint="bb")
    path = tmp_path / "rounds.json"
    content = json.loads(path.read_text())
    content["rows"] = [row for row in content["rows"] if row["stage"] == "first"]
    content["seconds"] = {"first": [30.0] * 8, "again": [16.0] * 15}
    needed = measure.measure_commits(tmp_path, change(), (), minutes=10)
    assert [command for command, *_ in asked] == ["counters", "rounds", "rounds"]
    assert {"--stage=first", "--rounds=8", "--fewest=4", "--minutes=9.25"} <= set(asked[1])
    assert {"--stage=again", "--rounds=20", "--fewest=5", "--minutes=5.25"} <= set(asked[2])
    assert asked[2][-1] == f"--call={SIMPSON}"
    assert "--command=python -m reports compare bbbbbbbb cccccccc --minutes 10" in asked[1]
    assert not any("--compile" in argument for argument in asked[2])
    assert needed == np.ceil((45 + 8 * 30 + 20 * 16) / 60)
    asked.clear()
    content = json.loads((without(rounds(tmp_path)) / "rounds.json").read_text())
    needed = measure.measure_commits(tmp_path, change(), ("0.10.1", "0.10.2"), minutes=5)
    assert [command for command, *_ in asked] == ["counters", "rounds"]
    assert asked[0][-3:] == ("--jax", "0.10.1", "0.10.2")
    assert needed == np.ceil((45 + 8 * 30) / 60)
    of_releases = "python -m reports compare bbbbbbbb --versions 0.10.1 0.10.2 --minutes 0.5"
    measure.measure_commits(tmp_path, change(), ("0.10.1", "0.10.2"), minutes=0.5)
    assert f"--command={of_releases}" in asked[-1]
    measure.measure_commits(tmp_path, change(direct=True), (), minutes=5)
    assert "--command=python -m reports compare bbbbbbbb cccccccc --direct --minutes 5" in asked[-1]


def test_a_measurement_that_does_not_finish_is_named():
    with pytest.raises(DamagedError, match="benchmarks nonsense did not finish"):
        measure._run("nonsense")


def test_calls_of_one_program_are_noise_and_its_compilation_is_not(tmp_path):
    found = compared(tmp_path, slower={"call_seconds": 1.3, "cold_compile_seconds": 1.3})
    assert verdict(found, "call_seconds") == "noise"
    assert verdict(found, "cold_compile_seconds") == "regressed"


def test_a_row_that_is_no_time_leaves_the_times_unjudged(tmp_path):
    found = with_row(tmp_path, metric="flops")
    assert found.answer == Answer.UNJUDGED
    assert "rows.64.metric: accepted are cold_compile_seconds, call_seconds" in str(
        found.complaints[0]
    )
