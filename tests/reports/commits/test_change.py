"""The commits of a comparison: what a branch did, and not what main did since it forked."""

import pytest
from click.testing import CliRunner

from benchmarks.schema.git import GitError
from reports.__main__ import main
from reports.commits import change as commits
from reports.commits.change import change_between, revisions
from reports.sources.measurements import DamagedError
from tests.reports.written import BASE, HEAD
from tests.reports.written_rounds import rounds
from tests.scratch import git


@pytest.fixture
def repository(tmp_path, monkeypatch):
    """A branch that removes a loss, and main, which renewed the baseline since they forked."""
    folder = tmp_path / "repository"
    (folder / "reports" / "baselines").mkdir(parents=True)
    git(folder, "init", "--quiet", "--initial-branch", "main")
    write(folder, "simpson.py", "what both stand on")
    git(folder, "branch", "feature")
    write(folder, "reports/baselines/cpu.json", "a new baseline")
    git(folder, "switch", "--quiet", "feature")
    (folder / "simpson.py").unlink()
    write(folder, "shannon.py", "a loss less")
    monkeypatch.chdir(folder)
    return folder


def write(folder, name, subject):
    (folder / name).write_text(subject)
    git(folder, "add", "--all")
    git(folder, "commit", "--quiet", "--message", subject)


def name_of(folder, revision):
    return git(folder, "rev-parse", revision)


def measured(folder, base, head, tmp_path):
    """Rounds of two commits, of which the head has a loss less."""
    found = rounds(tmp_path / "rounds", absent=["simpson"])
    for path in found.iterdir():
        text = path.read_text().replace(BASE, name_of(folder, base))
        path.write_text(text.replace(HEAD, name_of(folder, head)))
    return found


def compare(*arguments):
    found = CliRunner().invoke(main, ["compare", *map(str, arguments)])
    return found, found.stdout.split("\n")


def test_a_branch_answers_for_what_it_did_alone(repository, tmp_path):
    """What main did since the fork, a renewal of the baseline, is not the branch's doing."""
    results = measured(repository, "main~1", "feature", tmp_path)
    options = [f"--results={results}", f"--output={tmp_path / 'page'}"]
    fork, named_main = (name_of(repository, name)[:8] for name in ("main~1", "main"))
    for named in (["main", "feature"], ["main"], ["main...feature"], ["main..."]):
        found, lines = compare(*named, *options)
        assert found.exit_code == 1, found.output
        assert "removed" in lines[0]
        assert f"since it forked from main ({named_main}), at {fork}." in lines[0]
        assert "renews the baseline" not in found.stdout


def test_the_base_itself_is_compared_where_that_is_asked_for(repository, tmp_path):
    results = measured(repository, "main", "feature", tmp_path)
    options = [f"--results={results}", f"--output={tmp_path / 'page'}"]
    found, lines = compare("main", "feature", "--direct", *options)
    assert found.exit_code == 0  # the baseline differs
    assert "feature" in lines[0]
    assert "with what the base did since the fork." in lines[0]
    refused, _ = compare("main", "feature", *options)
    assert refused.exit_code == 2
    assert "holds rounds of" in refused.stderr


def test_subjects_stand_in_the_comment(repository, tmp_path):
    results = measured(repository, "main~1", "feature", tmp_path)
    _, lines = compare("main", "feature", f"--results={results}", f"--output={tmp_path / 'p'}")
    said = "\n".join(lines)
    base, head = (name_of(repository, name)[:8] for name in ("main~1", "feature"))
    assert f"Base `{base}` what both stand on; head `{head}` a loss less." in said
    for text in ("what both stand on", "a loss less"):
        assert text in (tmp_path / "p" / "index.html").read_text()


def test_a_base_that_the_head_contains_is_the_base(repository):
    found = change_between("feature~1", "feature", direct=False)
    assert found.forked_from is None
    head, base = (name_of(repository, name)[:8] for name in ("feature", "feature~1"))
    assert str(found) == f"feature ({head}) against feature~1 ({base})"
    assert str(change_between(head, head, direct=False)) == f"{head} against itself"


def test_uncommitted_changes_are_said_not_to_be_judged(repository, tmp_path):
    results = measured(repository, "feature~1", "feature", tmp_path)
    options = [f"--results={results}", f"--output={tmp_path / 'page'}"]
    said = "There are uncommitted changes, which are not judged"
    assert said not in compare("HEAD~1", "HEAD", *options)[0].stdout
    (repository / "shannon.py").write_text("an edit")
    found, _ = compare("HEAD~1", "HEAD", *options)
    assert said in found.stdout
    assert said in (tmp_path / "page" / "index.html").read_text()
    assert not change_between("main~1", "main", direct=False).uncommitted


def test_a_users_settings_of_git_change_neither_words_nor_changes(repository):
    """Not which files are shown, and not the encoding in which messages are."""
    git(repository, "config", "status.showUntrackedFiles", "no")
    git(repository, "config", "i18n.logOutputEncoding", "ISO-8859-1")
    write(repository, "new.py", "größer")
    (repository / "unknown.py").write_text("unknown to git")
    found = change_between("HEAD~1", "HEAD", direct=False)
    assert (found.head.subject, found.uncommitted) == ("größer", True)


@pytest.mark.parametrize(
    ("given", "named"),
    [
        (("main", "feature"), ("main", "feature")),
        (("main", None), ("main", "HEAD")),
        (("main...feature", None), ("main", "feature")),
        (("main...", None), ("main", "HEAD")),
        (("...feature", None), ("HEAD", "feature")),
    ],
)
def test_two_commits_are_named_as_git_names_them(given, named):
    assert revisions(*given) == named


@pytest.mark.parametrize(
    "given",
    [
        ("main..feature", None), ("main...feature", "HEAD"), ("a...b..c", None),
        ("", None), ("", "HEAD"), ("main", ""), ("main...feature", ""),
    ],
)  # fmt: skip
def test_other_names_of_two_commits_are_refused(given):
    """An empty one is that of a variable which is not set."""
    with pytest.raises(ValueError, match=r"accepted are BASE, BASE HEAD and BASE\.\.\.HEAD"):
        revisions(*given)
    found, _ = compare(*(name for name in given if name is not None))
    assert found.exit_code == 2
    assert "accepted are" in found.stderr


def test_commits_without_a_common_one_are_compared_directly_alone(repository):
    git(repository, "switch", "--quiet", "--orphan", "other")
    write(repository, "new.py", "another beginning")
    with pytest.raises(DamagedError, match=r"main \(\w{8}\) and other \(\w{8}\) have no commit in"):
        change_between("main", "other", direct=False)
    assert change_between("main", "other", direct=True).base.name == name_of(repository, "main")


def test_git_says_whether_a_change_renews_the_baseline(repository):
    assert commits.renews_baseline("main~1", "main")
    assert not commits.renews_baseline("main~1", "feature")
    with pytest.raises(GitError, match="bad object"):
        commits.renews_baseline("HEAD", "f" * 40)


def test_an_unknown_commit_is_named():
    found, _ = compare("HEAD", "no-such-commit")
    assert (found.exit_code, "'no-such-commit' names no commit" in found.stderr) == (2, True)


@pytest.mark.parametrize("base", ["origin/main", "no-such-commit"])
def test_a_shallow_clone_is_named_as_the_cause(repository, tmp_path, monkeypatch, base):
    clone = tmp_path / "clone"
    options = ("--quiet", "--depth=1", "--no-single-branch", "--branch=feature")
    git(tmp_path, "clone", *options, repository.as_uri(), str(clone))
    monkeypatch.chdir(clone)
    with pytest.raises(DamagedError, match="the clone is shallow, `git fetch --unshallow`"):
        change_between(base, "HEAD", direct=False)
    git(clone, "fetch", "--quiet", "--unshallow")
    if base == "origin/main":
        assert change_between(base, "HEAD", direct=False).base.name == name_of(repository, "main~1")
