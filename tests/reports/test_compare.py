"""Two commits compared: loud about what got worse, quiet without a change, sure of no guess."""

import pytest
from click.testing import CliRunner

from benchmarks.schema.git import GitError
from reports.__main__ import main
from reports.judge import commits
from reports.judge.compare_asv import compare_asv
from reports.judge.verdict import Answer
from reports.pages.comparison import build_comparison
from reports.sources.frame import DamagedError
from tests import scratch
from tests.reports.written import (
    BASE,
    CALL,
    HEAD,
    OTHER,
    PROGRAM,
    TEMPORARY,
    asv,
    change,
    figures_of_asv,
    processes,
)


def test_without_a_change_it_stays_quiet(run):
    result, page, comment = run()
    assert result.exit_code == 0, result.output
    assert comment.startswith(
        "**Passes: 0 regressed, 0 improved, 8 unchanged, 8 skipped on both sides.**"
    )
    assert "No figure got worse or better" in page


def test_a_figure_that_is_skipped_now_fails_unless_the_change_renews_the_baseline(run, monkeypatch):
    result, _, comment = run(temporary=float("nan"))
    assert (result.exit_code, "1 skipped, 8 skipped on both sides" in comment) == (1, True)
    monkeypatch.setattr(commits, "renews_baseline", lambda base, head: (base, head) == (BASE, HEAD))
    result, _, comment = run(temporary=float("nan"))
    assert (result.exit_code, "1 skipped, 8 skipped on both sides" in comment) == (0, True)


def test_a_benchmark_that_was_skipped_and_fails_now_fails_the_change(run, tmp_path):
    asv(tmp_path / "asv", "b", 8, figures_of_asv(8, temporary=float("nan")))
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
    with pytest.raises(GitError, match="bad object"):
        commits.renews_baseline("HEAD", "f" * 40)


def test_without_a_time_that_can_be_judged_the_counters_decide(run, tmp_path):
    counters = {name: row for name, row in figures_of_asv(1).items() if name != CALL}
    for name in ("b", "c"):
        asv(tmp_path / "asv", name, 8, counters)
    found = compare_asv(tmp_path / "asv", BASE, HEAD)
    assert (found.answer, list(found.time_per_loss)) == (Answer.PASSES, [])
    assert build_comparison(found, change(), tmp_path / "page").exists()


def test_figures_of_different_machines_are_not_compared(run, tmp_path):
    run()
    asv(tmp_path / "asv", "b", 8, figures_of_asv(8, call=1.0), machine="slow")
    found = compare_asv(tmp_path / "asv", BASE, HEAD)
    assert (found.answer, len(found.verdicts), found.processors) == (
        Answer.PASSES, 16, ("Processor m, 2 cores",),
    )  # fmt: skip
    (tmp_path / "asv" / "m" / f"{'b' * 8}-virtualenv-py3.11.json").unlink()
    with pytest.raises(DamagedError, match="no results of both bbbbbbbb and cccccccc"):
        compare_asv(tmp_path / "asv", BASE, HEAD)


def test_a_folder_of_damage_alone_is_named(tmp_path):
    asv(tmp_path, "b", 8, figures_of_asv(8)).write_text("{")
    with pytest.raises(DamagedError, match="no results of both"):
        compare_asv(tmp_path, BASE, HEAD)


def test_commits_measured_at_different_sizes_are_not_compared(tmp_path):
    asv(tmp_path, "b", 8, figures_of_asv(8))
    asv(tmp_path, "c", 9, figures_of_asv(9), sizes=("256", "4096"))
    with pytest.raises(DamagedError, match="at the same sizes"):
        compare_asv(tmp_path, BASE, HEAD)


def verdicts_on_time(folder):
    """The verdicts on the calls, and all verdicts on the other figures of the CPU."""
    found = compare_asv(folder, BASE, HEAD).verdicts
    found = found[found["device"] == "cpu"]
    times = found["metric"] == "call_seconds"
    return list(found[times].sort_values("benchmark")["verdict"]), set(found[~times]["verdict"])


HOUR = 3_600_000  # in asv's milliseconds


@pytest.mark.parametrize(
    ("hours_apart", "expected"), [(0.001, ["unchanged", "regressed"]), (1, ["not comparable"] * 2)]
)
def test_times_of_different_runs_are_not_compared_but_counters_are(tmp_path, hours_apart, expected):
    """Of a run in turn, nothing starts later than a second after each of its four figures."""
    asv(tmp_path, "b", 8, figures_of_asv(8))
    slower = figures_of_asv(9, call=0.02, fingerprint=2)
    asv(tmp_path, "c", 9, slower, started=int(hours_apart * HOUR))
    times, others = verdicts_on_time(tmp_path)
    assert (times, others) == (expected, {"unchanged", "changed"})


def test_a_round_of_several_environments_lets_more_time_pass(tmp_path):
    for commit, day, started in (("b", 8, 0), ("c", 9, 12_000)):
        asv(tmp_path, commit, day, figures_of_asv(day), started=started)
    assert "not comparable" in verdicts_on_time(tmp_path)[0]
    asv(tmp_path, "b", 8, figures_of_asv(8), environment="another")
    assert "not comparable" not in verdicts_on_time(tmp_path)[0]


@pytest.mark.parametrize("head_day", [1, 9], ids=["older than its base", "newer"])
def test_a_head_does_not_hide_its_regression_in_its_own_history(tmp_path, head_day):
    for day, commit in ((0, "1"), (2, "2"), (5, "b")):
        asv(tmp_path, commit, day, figures_of_asv(day))
    asv(tmp_path, "c", head_day, figures_of_asv(9, call=0.02, fingerprint=2))
    assert verdicts_on_time(tmp_path)[0] == ["unchanged", "regressed"]


def test_figures_of_one_sample_are_counted_and_not_listed(tmp_path):
    sampled = figures_of_asv(8)
    speed = {"bench_throughput.Throughput.track_ns_per_cell": {PROGRAM: 7.0, OTHER: 8.0}}
    for day, commit in enumerate("bc"):
        asv(tmp_path, commit, day, {**sampled, **speed})
    found = compare_asv(tmp_path, BASE, HEAD)
    assert found.n_unjudged == 2
    assert "ns_per_cell" not in set(found.folded["metric"])
    assert "call_seconds" in set(found.folded["metric"])
    page = build_comparison(found, change(), tmp_path / "page").read_text()
    assert "2 wall-clock figures have one sample and are not judged" in page


def test_too_few_processes_for_a_verdict_are_listed(tmp_path):
    few = {CALL: {PROGRAM: processes(0.01, 0.011, 0.012)}}
    for day, commit in enumerate("bc"):
        asv(tmp_path, commit, day, few)
    found = compare_asv(tmp_path, BASE, HEAD)
    assert (found.n_unjudged, list(found.folded["verdict"])) == (0, ["insufficient history"])
    assert found.answer == Answer.UNJUDGED


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
        asv(tmp_path / "asv", commit, 8, {**figures_of_asv(1), TEMPORARY: table})
    comparison = compare_asv(tmp_path / "asv", BASE, HEAD)
    assert comparison.gates.sum() == 3000
    page = build_comparison(comparison, change(), tmp_path / "page")
    comment, rows = ((page.parent / name).read_text() for name in ("comment.md", "verdicts.csv"))
    assert len(comment.encode()) < 60_000
    assert "and 2950 more on the page" in comment
    assert "3006 figures were skipped on both sides" in comment
    assert page.read_text().count("program17:value") == 1
    assert rows.count("program17:value") == 2  # with the one of the absent GPU
