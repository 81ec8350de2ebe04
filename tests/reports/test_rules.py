"""The rules of the regression report, a test for each."""

import math

import numpy as np
import pytest

from benchmarks.measure.sweep.timing import visit_in_turn
from reports.judge.compare_asv import compare_asv
from reports.judge.samples import fewest_samples, significance_of
from reports.judge.verdict import JUDGED, Answer, Verdict
from reports.pages.comparison import build_comparison
from reports.pages.report import build_report
from reports.sources.results import read_results
from tests.reports.written import (
    BASE,
    CALL,
    ENVIRONMENT,
    ERROR,
    HEAD,
    OTHER,
    PROGRAM,
    TEMPORARY,
    all_records,
    asv,
    change,
    figures_of_asv,
    processes,
    sweep,
)

STEADY = [0.0100 + 1e-5 * at for at in range(8)]


def compared(folder, before, after, history=()):
    """Two commits whose calls took so long in their processes, after earlier commits."""
    for day, (commit, median) in enumerate(zip("0123456789ad", history, strict=False)):
        asv(folder, commit, day, {CALL: {PROGRAM: processes(median)}})
    for day, commit, seconds in ((98, "b", before), (99, "c", after)):
        asv(folder, commit, day, {CALL: {PROGRAM: processes(*seconds)}})
    return compare_asv(folder, BASE, HEAD)


def judged(folder, before, after, history=()):
    """The row of the calls of ``compared``."""
    found = compared(folder, before, after, history).verdicts
    return next(found[found["device"] == "cpu"].itertuples())


def times(seconds, factor):
    return [factor * value for value in seconds]


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"temporary": 4 * 10**6, "fingerprint": 2}, f"worst: temp_bytes of {PROGRAM}"),
        ({"error": 1e-3, "fingerprint": 2}, f"worst: value_error of {PROGRAM}"),
    ],
)
def test_rule_1_counters_and_errors_gate(run, change, named):
    result, page, comment = run(**change)
    assert result.exit_code == 1
    assert comment.startswith("**Fails: 1 regressed, 0 improved,")
    for text in (comment, page, result.output):
        assert named in text
    assert "1 row fails the change" in comment


def test_rule_1_time_informs_unless_asked(run):
    slower = {"call": 0.02, "fingerprint": 2}
    result, _, comment = run(**slower)
    assert (result.exit_code, "call_seconds | regressed" in comment) == (0, True)
    assert comment.startswith("**Passes: 1 regressed")
    assert run("--gate-on-time", **slower)[0].exit_code == 1
    result, _, comment = run("--gate-on-time", call=0.02)  # by the same program: noise
    assert (result.exit_code, "call_seconds | noise" in comment) == (0, True)
    assert run(call=0.005, fingerprint=2)[2].startswith("**Passes: 0 regressed, 1 improved")


RESTLESS = [0.010, 0.013] * 6


@pytest.mark.parametrize(
    ("factor", "history", "n", "expected"),
    [
        (1.0505, [], 8, Verdict.REGRESSED),
        (1 / 1.0505, [], 8, Verdict.IMPROVED),
        (1.0495, [], 8, Verdict.UNCHANGED),  # certain, but small
        (1 / 1.0495, [], 8, Verdict.UNCHANGED),
        (1.2, RESTLESS, 8, Verdict.UNCHANGED),  # usual for this benchmark
        (1.4, RESTLESS, 8, Verdict.REGRESSED),
        (2.0, [], 6, Verdict.UNDECIDED),
        (2.0, [], 7, Verdict.REGRESSED),
    ],
)
def test_rule_2_a_time_alarms_by_significance_and_effect_over_processes(
    tmp_path, factor, history, n, expected
):
    row = judged(tmp_path, STEADY[:n], times(STEADY[:n], factor), history)
    assert row.verdict == expected
    assert (row.n_before, row.n_after) == (n, n)
    if n == 8:
        assert row.p == pytest.approx(2 / math.comb(16, 8))


def test_rule_2_a_large_effect_of_scattered_processes_is_noise(tmp_path):
    row = judged(tmp_path, [1, 1.1, 1.2, 4, 4.1, 4.2, 4.3], [1.05, 1.15, 3.9, 4.4, 4.5, 4.6, 4.7])
    assert (row.verdict, row.p > 0.002) == (Verdict.NOISE, True)


def test_rule_3_every_row_says_what_was_measured_how_it_was_judged_and_why(run, tmp_path):
    _, page, _ = run(call=0.02, fingerprint=2)
    found = compare_asv(tmp_path / "asv", BASE, HEAD).verdicts
    (row,) = found[(found["verdict"] == "regressed")].itertuples()
    assert (row.benchmark, row.n_cells, row.device, row.source) == (
        PROGRAM, 4096, "cpu", "simulated",
    )  # fmt: skip
    assert (row.metric, row.unit, row.better) == ("call_seconds", "s", "lower")
    assert (row.n_before, row.n_after) == (8, 8)
    assert row.ratio == pytest.approx(row.after / row.before, rel=1e-3)
    assert 0 < row.before_iqr < 0.1 * row.before
    assert 0 < row.after_iqr < 0.1 * row.after
    assert (row.p < 0.002, row.threshold >= 0.05) == (True, True)
    assert set(found["verdict"]) <= set(Verdict)
    for title in ("benchmark", "cells", "device", "metric", "better", "verdict", "ratio",
                  "before ± IQR (n)", "after ± IQR (n)", "p", "threshold"):  # fmt: skip
        assert f">{title}</th>" in page


def test_rule_4_what_fails_comes_first_and_gates_and_what_goes_is_listed(run):
    result, _, comment = run(temporary=None, error=float("nan"))
    assert result.exit_code == 1
    assert "1 failing" in comment
    assert f"worst: temp_bytes of {PROGRAM} at 4096 cells, 1.00 MB before, failed now" in comment
    rows = [line for line in comment.splitlines() if line.startswith(f"| {PROGRAM}")]
    assert ["failing" in rows[0], "skipped" in rows[1]] == [True, True]


def test_rule_4_a_run_that_measured_nothing_is_no_pass(tmp_path):
    nothing = {TEMPORARY: {PROGRAM: float("nan")}}
    for day, commit in enumerate("bc"):
        asv(tmp_path, commit, day, nothing)
    assert compare_asv(tmp_path, BASE, HEAD).answer == Answer.UNJUDGED


def test_rule_5_one_sentence_then_what_moved_then_the_rest(run):
    _, page, comment = run(temporary=4_567_890, fingerprint=2)
    first = (
        "Fails: 1 regressed, 0 improved, 6 unchanged, 1 changed, 8 skipped on both sides; worst: "
        f"temp_bytes of {PROGRAM} at 4096 cells, 1.00 MB before, 4.57 MB now."
    )
    assert comment.startswith(f"**{first}** head (cccccccc) against base (bbbbbbbb).\n\n")
    assert "\n\nMeasured on Processor m, 2 cores; 1 row fails the change." in comment
    assert "| regressed | memory | 1 | 4.57 | 4.57 | 4.57 |" in comment
    places = [page.index(text) for text in (first, "Got worse, got better", "<details>")]
    assert places == sorted(places)


@pytest.mark.parametrize(("fingerprint", "losses"), [(1, ["shannon"]), (2, ["shannon", "simpson"])])
def test_rule_5_the_mean_per_loss_leaves_noise_out(run, tmp_path, fingerprint, losses):
    run(call=0.02, fingerprint=fingerprint)
    means = compare_asv(tmp_path / "asv", BASE, HEAD).time_per_loss
    assert list(means.index) == losses
    assert means["shannon"] == pytest.approx(1, rel=0.05)
    assert means[losses[-1]] == pytest.approx(fingerprint, rel=0.05)


@pytest.mark.parametrize(
    ("seconds", "unstable"),
    [
        (STEADY, False),
        ([0.009, 0.009, 0.009, 0.01, 0.01, 0.0115, 0.0115, 0.0115], True),
        (times(STEADY, 0.05), True),  # half a millisecond
    ],
    ids=["steady", "scattered", "short"],
)
def test_rule_6_instability_is_said(tmp_path, seconds, unstable):
    found = compared(tmp_path / "asv", seconds, times(seconds, 1.001))
    assert found.verdicts[found.verdicts["device"] == "cpu"]["unstable"].tolist() == [unstable]
    page = build_comparison(found, change(), tmp_path / "page").read_text()
    assert (">unstable" in page) == unstable


@pytest.mark.usefixtures("without_plots")
def test_rule_7_the_environment_and_the_command_stand_on_the_page(run, tmp_path):
    read = read_results([sweep(tmp_path / "sweep.json", all_records(), xla_flags="--xla_a=1")])
    report = build_report(read, tmp_path / "report").read_text()
    said = [ENVIRONMENT[name] for name in ("command", "commit", "cpu", "os", "python")]
    said += ["2 cores", "16 GiB", "jax 0.10.2", "jaxlib 0.10.2", "--xla_a=1", "cpu: cpu", "(clean)"]
    assert [text for text in said if text not in report] == []

    _, page, _ = run()
    assert "Measured on Processor m, 2 cores, in virtualenv-py3.11." in page
    assert "python -m reports compare bbbbbbbb cccccccc" in page


def test_rule_8_the_exit_code_says_whether_the_change_passes(run, tmp_path):
    assert run()[0].exit_code == 0
    assert run(temporary=4 * 10**6, fingerprint=2)[0].exit_code == 1
    (tmp_path / "asv" / "m" / "dddddddd-py.json").write_text("{")
    result, page, comment = run()
    assert (result.exit_code, len(result.stderr.splitlines())) == (2, 1)
    assert all("dddddddd-py.json" in text for text in (result.stderr, page, comment))


def without(name, program=OTHER):
    found = figures_of_asv(9)
    del found[name][program]
    return found


@pytest.mark.parametrize(
    ("head", "n_removed"),
    [
        (without(TEMPORARY), 1),
        (without(CALL), 1),
        ({name: {PROGRAM: row[PROGRAM]} for name, row in figures_of_asv(9).items()}, 4),
        ({name: row for name, row in figures_of_asv(9).items() if name != ERROR}, 2),
    ],
    ids=["a counter", "a time", "a loss", "a metric"],
)
def test_rule_9_what_vanishes_fails_unless_the_change_renews_the_baseline(
    tmp_path, head, n_removed
):
    asv(tmp_path / "asv", "b", 8, figures_of_asv(8))
    asv(tmp_path / "asv", "c", 9, head)
    arguments = (tmp_path / "asv", BASE, HEAD)
    found = compare_asv(*arguments)
    assert (found.answer, found.gates.sum()) == (Answer.FAILS, n_removed)
    assert set(found.verdicts[found.gates]["verdict"]) == {"removed"}
    renewed = compare_asv(*arguments, baseline_renewed=True)
    assert (renewed.answer, len(renewed.listed)) == (Answer.PASSES, n_removed)
    page = build_comparison(renewed, change(), tmp_path / "page").read_text()
    assert "The change renews the baseline" in page


def test_rule_10_the_contestants_of_a_round_change_their_order(monkeypatch):
    monkeypatch.setattr("benchmarks.measure.sweep.timing._SECONDS_PER_VISIT", 0.0)
    calls = []
    names = ("ours", "bound")
    visit_in_turn(
        {"slow": {name: lambda name=name: calls.append(name) for name in names}},
        np.random.default_rng(0),
    )
    assert set(calls[::2]) == set(names)


def test_rule_11_a_time_that_did_not_change_says_what_its_samples_do_not_exclude(tmp_path):
    """Half of the processes are 30 % slower, on both sides."""
    restless = [0.0100, 0.0101, 0.0102, 0.0103, 0.0130, 0.0131, 0.0132, 0.0133]
    found = compared(tmp_path / "asv", restless, times(restless, 1.001))
    row = found.verdicts[found.verdicts["device"] == "cpu"].iloc[0]
    assert row["verdict"] == Verdict.UNCHANGED
    slowest_of_steady = judged(tmp_path / "steady", STEADY, times(STEADY, 1.001)).undetected
    assert slowest_of_steady == pytest.approx(0.05)
    undetected = row["undetected"]
    assert 0.25 < undetected < 0.35
    said = f"a slowdown below {undetected:.0%} would not show"
    page = build_comparison(found, change(), tmp_path / "page").read_text()
    assert said in page
    for factor, expected in ((0.99, "noise"), (1.01, "regressed")):
        slower = times(restless, 1.001 * (1 + undetected * factor))
        assert judged(tmp_path / "asv", restless, slower).verdict == expected


def test_rule_12_the_page_says_how_many_alarms_to_expect_and_many_figures_alarm_less(tmp_path):
    def figures(n, seed):
        seconds = 0.01 * np.exp(0.03 * np.random.default_rng(seed).standard_normal((n, 8)))
        return {CALL: {f"p{at}:value": processes(*own) for at, own in enumerate(seconds)}}

    found = {}
    for n in (10, 100):
        folder = tmp_path / str(n)
        asv(folder, "b", 8, figures(n, seed=0))
        asv(folder, "c", 9, figures(n, seed=1))
        found[n] = compare_asv(folder, BASE, HEAD)
    assert [found[n].n_tested for n in (10, 100)] == [10, 100]
    assert [significance_of(n) for n in (10, 100)] == [0.002, pytest.approx(0.0005)]
    assert [found[n].false_alarm_rate for n in (10, 100)] == pytest.approx([0.02, 0.05])
    page = build_comparison(found[100], change(), tmp_path / "page").read_text()
    assert "100 times were tested together" in page
    assert "at most 5\N{NO-BREAK SPACE}% of such comparisons name any by chance" in page
    assert fewest_samples(significance_of(100)) <= 8
    assert set(found[100].verdicts["verdict"]) <= {*JUDGED, Verdict.NOISE, Verdict.ABSENT}
