"""Two commits measured in rounds: the verdicts, the page and the exit code."""

import json

import pytest
from click.testing import CliRunner

from reports.__main__ import main
from reports.judge import commits, measuring
from reports.judge.compare_rounds import compare_rounds
from reports.judge.verdict import Answer
from reports.pages.comparison import build_comparison
from reports.pages.quantities import number
from reports.sources.frame import DamagedError
from tests.reports.written import BASE, HEAD
from tests.reports.written_rounds import rounds

SIMPSON = "simpson:value_and_grad"


def compared(folder, **changes):
    return compare_rounds(rounds(folder, **changes), BASE, HEAD)


def verdict(comparison, metric, benchmark=SIMPSON):
    rows = comparison.verdicts
    (found,) = rows[(rows["metric"] == metric) & (rows["benchmark"] == benchmark)]["verdict"]
    return found


def test_equal_commits_pass_and_say_what_their_times_exclude(tmp_path):
    found = compared(tmp_path)
    assert (found.answer, found.listed.empty, found.n_tested) == (Answer.PASSES, True, 4)
    assert list(found.undetected.index) == ["shannon", "simpson"]
    assert list(found.undetected) == ["call_seconds", "cold_compile_seconds"]
    assert ((found.undetected > 0) & (found.undetected < 0.1)).all(axis=None)
    page = build_comparison(found, tmp_path / "page")
    assert "What the times exclude" in page.read_text()
    assert "4 times were tested together" in page.read_text()
    assert "How often this errs" in (page.parent / "judging.html").read_text()


@pytest.mark.parametrize("metric", ["call_seconds", "cold_compile_seconds"])
def test_a_slower_loss_is_the_first_row_and_the_only_one(tmp_path, metric):
    found = compared(tmp_path, slower={metric: 1.3}, hlo_fingerprint="bb")
    first = found.listed.iloc[0]
    assert (first["benchmark"], first["metric"], first["verdict"]) == (SIMPSON, metric, "regressed")
    assert first["ratio"] == pytest.approx(1.3, rel=0.05)
    assert first["low"] < 1.3 < first["high"]
    page = build_comparison(found, tmp_path / "page").read_text()
    assert f"({number(first['low'])} to {number(first['high'])})" in page
    assert "now, as a ratio to the lower bound." in page
    assert (len(found.listed), found.answer) == (1, Answer.PASSES)  # times inform
    slower = compare_rounds(tmp_path, BASE, HEAD, on_time=True)
    assert slower.answer == Answer.FAILS


def test_calls_of_one_program_are_noise_and_its_compilation_is_not(tmp_path):
    found = compared(tmp_path, slower={"call_seconds": 1.3, "cold_compile_seconds": 1.3})
    assert verdict(found, "call_seconds") == "noise"
    assert verdict(found, "cold_compile_seconds") == "regressed"


@pytest.mark.parametrize(
    ("change", "metric"),
    [({"temp_bytes": 4 * 10**6}, "temp_bytes"), ({"value_error": 1e-3}, "value_error")],
)
def test_counters_and_errors_decide(tmp_path, change, metric):
    found = compared(tmp_path, **change, hlo_fingerprint="bb")
    assert (verdict(found, metric), found.answer) == ("regressed", Answer.FAILS)


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
    sides = [tmp_path / f"{side}.json" for side in ("base", "head")]
    texts = [side.read_text() for side in sides]
    for side, text in zip(sides, reversed(texts), strict=True):
        side.write_text(text)
    found = compare_rounds(tmp_path, BASE, HEAD)
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
    page = build_comparison(found, tmp_path / "page").read_text()
    assert "jax 0.10.1 before, 0.10.2 after" in page
    assert "python -m reports compare bbbbbbbb --versions 0.10.1 0.10.2" in page


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
    monkeypatch.setattr(commits, "resolve", {"base": BASE, "head": HEAD}.get)
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
        ({"rounds_version": 99}, "rounds_version is 99"),
        ({"rows": []}, "no round was measured"),
        ({"sides": {}}, "sides.base"),
    ],
)
def test_damaged_rounds_are_named(tmp_path, damage, said):
    path = rounds(tmp_path) / "rounds.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **damage}))
    with pytest.raises(DamagedError, match=said):
        compare_rounds(tmp_path, BASE, HEAD)


def test_what_seems_to_change_is_measured_again_and_nothing_else(tmp_path, monkeypatch):
    asked = []
    monkeypatch.setattr(measuring, "_run", lambda *arguments: asked.append(arguments))
    monkeypatch.setattr("pathlib.Path.unlink", lambda *_, **__: None)
    rounds(tmp_path, slower={"call_seconds": 1.3}, hlo_fingerprint="bb")
    path = tmp_path / "rounds.json"
    content = json.loads(path.read_text())
    content["rows"] = [row for row in content["rows"] if row["stage"] == "first"]
    path.write_text(json.dumps(content))
    measuring.measure_commits(tmp_path, (BASE, HEAD), (), minutes=5)
    assert [command for command, *_ in asked] == ["counters", "rounds", "rounds"]
    assert asked[2][-1] == f"--call={SIMPSON}"
    assert not any("--compile" in argument for argument in asked[2])
    asked.clear()
    rounds(tmp_path)
    measuring.measure_commits(tmp_path, (BASE, HEAD), ("0.10.1", "0.10.2"), minutes=5)
    assert [command for command, *_ in asked] == ["counters", "rounds"]
    assert asked[0][-3:] == ("--jax", "0.10.1", "0.10.2")


def test_a_measurement_that_does_not_finish_is_named():
    with pytest.raises(DamagedError, match="benchmarks nonsense did not finish"):
        measuring._run("nonsense")
