"""Two commits compared: loud about what got worse, quiet without a change, sure of no guess."""

import subprocess

import numpy as np
import pytest
from click.testing import CliRunner

from reports.__main__ import main
from reports.judge import commits
from reports.judge.verdict import Answer
from reports.pages.render import build_comparison
from reports.sources.frame import DamagedError
from tests import scratch
from tests.reports.written import asv

PROGRAM, OTHER = "simpson:value", "shannon:value"
BASE, HEAD = "b" * 40, "c" * 40
TEMPORARY = "bench_memory.Memory.track_temp_bytes"
FINGERPRINT = "bench_compile.Counters.track_hlo_fingerprint"
ERROR = "bench_accuracy.Values.track_value_error"
CALL = "bench_throughput.Call.time_call"


def samples(seed, median):
    found = list(median * (1 + 0.02 * np.random.default_rng(seed).standard_normal(20)))
    return float(np.median(found)), found


def figures(seed, *, temporary=10**6, fingerprint=1, error=1e-7, call=0.01):
    return {
        TEMPORARY: {PROGRAM: temporary, OTHER: 10**6},
        FINGERPRINT: {PROGRAM: fingerprint, OTHER: 7},
        ERROR: {PROGRAM: error, OTHER: 1e-7},
        CALL: {PROGRAM: samples(seed, call), OTHER: samples(seed + 50, 0.01)},
    }


@pytest.fixture
def run(tmp_path, monkeypatch):
    """Compare a base with a head that has the changes, after a history of three commits."""
    monkeypatch.setattr(commits, "resolve", {"base": BASE, "head": HEAD}.get)
    monkeypatch.setattr(commits, "renews_baseline", lambda *_: False)
    monkeypatch.setattr(commits, "measure", lambda *_: pytest.fail("everything is there"))
    folder = tmp_path / "asv"
    for day, commit in enumerate("123b"):
        asv(folder, commit, day, figures(day))

    def compare(*options, **changes):
        asv(folder, "c", 9, figures(9, **changes))
        result = CliRunner().invoke(
            main,
            ["compare", "base", "head", f"--results={folder}", f"--output={tmp_path / 'page'}",
             *options],
        )  # fmt: skip
        page = (tmp_path / "page" / "index.html").read_text()
        comment = (tmp_path / "page" / "comment.md").read_text()
        return result, page, comment

    return compare


def test_without_a_change_it_stays_quiet(run):
    result, page, comment = run()
    assert result.exit_code == 0, result.output
    assert comment.startswith(
        "**Passes: 0 regressed, 0 improved, 8 unchanged, 8 skipped on both sides.**"
    )
    assert "No figure got worse or better" in page


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"temporary": 4 * 10**6, "fingerprint": 2}, f"worst: temp_bytes of {PROGRAM}"),
        ({"error": 1e-3, "fingerprint": 2}, f"worst: value_error of {PROGRAM}"),
    ],
)
def test_a_worse_counter_or_error_fails(run, change, named):
    result, page, comment = run(**change)
    assert result.exit_code == 1
    assert comment.startswith("**Fails: 1 regressed, 0 improved,")
    for text in (comment, page, result.output):
        assert named in text
    assert "1 row fails the change" in comment


def test_time_informs_and_gates_where_asked(run):
    slower = {"call": 0.02, "fingerprint": 2}
    result, _, comment = run(**slower)
    assert (result.exit_code, "call_seconds | regressed" in comment) == (0, True)
    assert comment.startswith("**Passes: 1 regressed")
    assert run("--gate-on-time", **slower)[0].exit_code == 1
    result, _, comment = run("--gate-on-time", call=0.02)  # by the same program: noise
    assert (result.exit_code, "call_seconds | noise" in comment) == (0, True)
    assert run(call=0.005, fingerprint=2)[2].startswith("**Passes: 0 regressed, 1 improved")


@pytest.mark.parametrize(("fingerprint", "losses"), [(1, ["shannon"]), (2, ["shannon", "simpson"])])
def test_the_mean_per_loss_leaves_noise_out(run, tmp_path, fingerprint, losses):
    run(call=0.02, fingerprint=fingerprint)
    means = commits.compare(tmp_path / "asv", BASE, HEAD).time_per_loss
    assert list(means.index) == losses
    assert means["shannon"] == pytest.approx(1, rel=0.05)
    assert means[losses[-1]] == pytest.approx(fingerprint, rel=0.05)


def test_what_fails_comes_first_and_what_goes_is_listed(run):
    result, _, comment = run(temporary=None, error=float("nan"))
    assert result.exit_code == 1
    assert "1 failing" in comment
    assert f"worst: temp_bytes of {PROGRAM} at 4096 cells, 1.00 MB before, failed now" in comment
    rows = [line for line in comment.splitlines() if line.startswith(f"| {PROGRAM}")]
    assert ["failing" in rows[0], "skipped" in rows[1]] == [True, True]


def test_the_first_lines_say_pass_or_fail_what_how_much_and_on_which_processor(run):
    _, page, comment = run(temporary=4_567_890, fingerprint=2)
    first = (
        "Fails: 1 regressed, 0 improved, 6 unchanged, 1 changed, 8 skipped on both sides; worst: "
        f"temp_bytes of {PROGRAM} at 4096 cells, 1.00 MB before, 4.57 MB now."
    )
    assert comment.startswith(f"**{first}**\n\nbbbbbbbb against cccccccc, on Processor m, 2 cores;")
    assert first in page
    assert "Measured on Processor m, 2 cores, in virtualenv-py3.11." in page


def without(name, program=OTHER):
    found = figures(9)
    del found[name][program]
    return found


@pytest.mark.parametrize(
    ("head", "n_removed"),
    [
        (without(TEMPORARY), 1),
        (without(CALL), 1),
        ({name: {PROGRAM: row[PROGRAM]} for name, row in figures(9).items()}, 4),
        ({name: row for name, row in figures(9).items() if name != ERROR}, 2),
    ],
    ids=["a counter", "a time", "a loss", "a metric"],
)
def test_what_vanishes_fails_unless_the_change_renews_the_baseline(run, tmp_path, head, n_removed):
    asv(tmp_path / "asv", "c", 9, head)
    arguments = (tmp_path / "asv", BASE, HEAD)
    found = commits.compare(*arguments)
    assert (found.answer, found.gates.sum()) == (Answer.FAILS, n_removed)
    assert set(found.verdicts[found.gates]["verdict"]) == {"removed"}
    renewed = commits.compare(*arguments, baseline_renewed=True)
    assert (renewed.answer, len(renewed.listed)) == (Answer.PASSES, n_removed)
    page = build_comparison(renewed, tmp_path / "page").read_text()
    assert "The change renews the baseline" in page


def test_a_figure_that_is_skipped_now_fails_unless_the_change_renews_the_baseline(run, monkeypatch):
    result, _, comment = run(temporary=float("nan"))
    assert (result.exit_code, "1 skipped, 8 skipped on both sides" in comment) == (1, True)
    monkeypatch.setattr(commits, "renews_baseline", lambda base, head: (base, head) == (BASE, HEAD))
    result, _, comment = run(temporary=float("nan"))
    assert (result.exit_code, "1 skipped, 8 skipped on both sides" in comment) == (0, True)


def test_a_benchmark_that_was_skipped_and_fails_now_fails_the_change(run, tmp_path):
    asv(tmp_path / "asv", "b", 8, figures(8, temporary=float("nan")))
    result, _, comment = run(temporary=None)
    assert (result.exit_code, "1 failing" in comment) == (1, True)


def test_git_says_whether_a_change_renews_the_baseline(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    scratch.git(tmp_path, "init", "--quiet")
    (tmp_path / "reports" / "baselines").mkdir(parents=True)
    for name in ("reports/baselines/cpu.json", "code.py", "reports/baselines/gpu.json"):
        (tmp_path / name).write_text("1")
        scratch.commit(tmp_path)
    assert commits.renews_baseline("HEAD~1", "HEAD")
    assert not commits.renews_baseline("HEAD~2", "HEAD~1")
    with pytest.raises(DamagedError, match="git"):
        commits.renews_baseline("HEAD", "f" * 40)


def test_without_a_time_that_can_be_judged_the_counters_decide(run, tmp_path):
    counters = {name: row for name, row in figures(1).items() if name != CALL}
    for name in ("b", "c"):
        asv(tmp_path / "asv", name, 8, counters)
    found = commits.compare(tmp_path / "asv", BASE, HEAD)
    assert (found.answer, list(found.time_per_loss)) == (Answer.PASSES, [])
    assert build_comparison(found, tmp_path / "page").exists()


def test_figures_of_different_machines_are_not_compared(run, tmp_path):
    run()
    asv(tmp_path / "asv", "b", 8, figures(8, call=1.0), machine="slow")
    found = commits.compare(tmp_path / "asv", BASE, HEAD)
    assert (found.answer, len(found.verdicts), found.processors) == (
        Answer.PASSES, 16, ("Processor m, 2 cores",),
    )  # fmt: skip
    (tmp_path / "asv" / "m" / f"{'b' * 8}-virtualenv-py3.11.json").unlink()
    assert not commits.was_measured(tmp_path / "asv", BASE, HEAD)


def test_commits_measured_at_different_sizes_are_measured_again(run, tmp_path):
    run()
    assert commits.was_measured(tmp_path / "asv", BASE, HEAD)
    asv(tmp_path / "asv", "c", 9, figures(9), sizes=("256", "4096"))
    assert not commits.was_measured(tmp_path / "asv", BASE, HEAD)


@pytest.fixture
def asked_of_asv(monkeypatch):
    """Let asv describe the machine, and measure nothing."""
    really_run = subprocess.run

    def run_asv(command, **options):
        if "continuous" in command:
            return subprocess.CompletedProcess(command, 0)
        return really_run(command, **options)

    monkeypatch.setattr(subprocess, "run", run_asv)


@pytest.mark.usefixtures("asked_of_asv")
def test_on_a_new_machine_asv_asks_nothing(tmp_path, monkeypatch, capfd):
    monkeypatch.setenv("HOME", str(tmp_path))
    commits.measure(BASE, HEAD, {})
    assert '"num_cpu"' in (tmp_path / ".asv-machine.json").read_text()
    assert capfd.readouterr() == ("", "")


@pytest.mark.usefixtures("asked_of_asv")
def test_a_machine_that_asv_cannot_describe_is_no_regression(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", "/dev/null")
    monkeypatch.setattr(commits, "resolve", {"base": BASE, "head": HEAD}.get)
    arguments = ["compare", "base", "head", f"--results={tmp_path / 'asv'}"]
    result = CliRunner().invoke(main, arguments)
    assert (result.exit_code, "asv machine: " in result.stderr) == (2, True)


def test_commits_that_cannot_be_compared_are_no_pass(run, tmp_path, monkeypatch):
    monkeypatch.setattr(commits, "was_measured", lambda *_: True)
    asv(tmp_path / "asv", "c", 9, figures(9), environment="another")
    arguments = ["compare", "base", "head", f"--results={tmp_path / 'asv'}"]
    result = CliRunner().invoke(main, arguments)
    assert result.exit_code == 2
    assert "no results of both bbbbbbbb and cccccccc" in result.stderr


def test_damage_beside_equal_commits_is_no_pass(run, tmp_path):
    (tmp_path / "asv" / "m" / "dddddddd-py.json").write_text("{")
    result, page, comment = run()
    assert result.exit_code == 2
    assert all("dddddddd-py.json" in text for text in (result.stderr, page, comment))


def test_the_comment_shows_first_what_one_may_wonder_about(run):
    _, _, comment = run(call=0.02)  # by the same program: noise
    rows = [line for line in comment.splitlines() if line.startswith(f"| {PROGRAM}")]
    assert rows[0].startswith(f"| {PROGRAM} | 4096 | call_seconds | noise")
    assert rows[0].endswith("| virtualenv-py3.11 |")


def test_an_unknown_commit_is_named(tmp_path):
    result = CliRunner().invoke(main, ["compare", "HEAD", "no-such-commit"])
    assert (result.exit_code, "'no-such-commit' names no commit" in result.stderr) == (2, True)


def test_the_comment_stays_short_and_the_page_whole(tmp_path, run):
    programs = [f"program{at}:value" for at in range(3000)]
    for commit, factor in (("b", 1), ("c", 2)):
        table = dict.fromkeys(programs, factor * 10**6)
        asv(tmp_path / "asv", commit, 8, {**figures(1), TEMPORARY: table})
    comparison = commits.compare(tmp_path / "asv", BASE, HEAD)
    assert comparison.gates.sum() == 3000
    page = build_comparison(comparison, tmp_path / "page")
    comment, rows = ((page.parent / name).read_text() for name in ("comment.md", "verdicts.csv"))
    assert len(comment.encode()) < 60_000
    assert "and 2950 more on the page" in comment
    assert "3006 figures were skipped on both sides" in comment
    assert page.read_text().count("program17:value") == 1
    assert rows.count("program17:value") == 2  # with the one of the absent GPU
