"""What git says of the code: asked in one place, whatever stands around, and never a guess."""

import os
import stat

import pytest
from click.testing import CliRunner

from benchmarks.__main__ import main
from benchmarks.measure import checkout
from benchmarks.measure.environment import environment
from benchmarks.measure.sweep.run import run_sweep
from benchmarks.schema import git
from benchmarks.schema.git import GitError
from tests import scratch
from tests.performance.conftest import pytest_benchmark_update_commit_info
from tests.scratch import ROOT, commit


@pytest.fixture
def repository(tmp_path, monkeypatch):
    """A repository whose code is a loss, taken for the one that measures."""
    folder = tmp_path / "repository"
    monkeypatch.setattr(checkout, "_ROOT", folder)
    return new_repository(folder)


def new_repository(folder):
    loss = folder / "diffbio" / "loss.py"
    loss.parent.mkdir(parents=True)
    loss.write_text("1")
    scratch.git(folder, "init", "--quiet")
    commit(folder)
    return folder


def head_of(folder):
    return scratch.git(folder, "rev-parse", "HEAD")


def state():
    return checkout.commit(), is_dirty(), checkout.uncommitted_code()


def is_dirty():
    return checkout.is_dirty(checkout.uncommitted_code())


def test_every_uncommitted_state_of_the_code_is_another(repository):
    loss, new = repository / "diffbio" / "loss.py", repository / "diffbio" / "new.py"
    states = [checkout.uncommitted_code()]
    (repository / "sweep.json").write_text("{}")  # which is not code
    assert [checkout.uncommitted_code()] == states == [None]
    assert is_dirty()
    for path, text in ((new, "1"), (new, "2"), (loss, "2"), (loss, "3")):
        path.write_text(text)
        states.append(checkout.uncommitted_code())
    loss.unlink()
    states.append(checkout.uncommitted_code())
    assert len(set(states)) == 6


def external_diff(folder):
    """Differences are shown by a program that shows none."""
    tool = folder.parent / "nothing"
    tool.write_text("#!/bin/sh\n")
    tool.chmod(tool.stat().st_mode | stat.S_IEXEC)
    scratch.git(folder, "config", "diff.external", str(tool))


def text_conversion(folder):
    """Every file is shown as the same text."""
    scratch.git(folder, "config", "diff.same.textconv", "echo same; :")
    (folder / ".git" / "info").mkdir(exist_ok=True)
    (folder / ".git" / "info" / "attributes").write_text("* diff=same\n")


def clean_filter(folder):
    """Every file is stored as the text that was committed."""
    scratch.git(folder, "config", "filter.same.clean", "printf 1")
    (folder / ".git" / "info").mkdir(exist_ok=True)
    (folder / ".git" / "info" / "attributes").write_text("* filter=same\n")


def overlooked(folder):
    scratch.git(folder, "update-index", "--assume-unchanged", "diffbio/loss.py")


@pytest.mark.parametrize("hide", [external_diff, text_conversion, clean_filter, overlooked])
def test_no_setting_of_git_hides_an_edit(repository, hide):
    hide(repository)
    assert state() == (head_of(repository), False, None)
    states = set()
    for text in ("2", "3"):
        (repository / "diffbio" / "loss.py").write_text(text)
        assert is_dirty()
        states.add(checkout.uncommitted_code())
    assert len(states - {None}) == 2


def test_a_file_that_the_user_ignores_everywhere_is_seen(repository):
    (repository / ".git" / "info").mkdir(exist_ok=True)
    (repository / ".git" / "info" / "exclude").write_text("new.py\n")
    (repository / "diffbio" / "new.py").write_text("1")
    assert is_dirty()
    assert checkout.uncommitted_code() is not None


def test_an_environment_reads_the_code_once(repository, monkeypatch):
    (repository / "diffbio" / "new.py").write_text("1")
    listed = checkout._listed_files
    asked = []
    monkeypatch.setattr(checkout, "_listed_files", lambda: asked.append(1) or listed())
    found = environment()
    assert (len(asked), found["dirty"]) == (1, True)
    assert found["changes"] == checkout.uncommitted_code()


@pytest.fixture
def other(tmp_path, monkeypatch):
    """Another repository, which the environment names to git, as it is in a hook of a worktree."""
    folder = new_repository(tmp_path / "other")
    monkeypatch.setenv("GIT_DIR", str(folder / ".git"))
    monkeypatch.setenv("GIT_INDEX_FILE", str(folder / ".git" / "index"))
    monkeypatch.setenv("GIT_WORK_TREE", str(folder))
    return folder


def test_the_environment_names_no_other_repository(repository, other):
    (repository / "diffbio" / "loss.py").write_text("2")
    commit(repository)
    assert state() == (head_of(repository), False, None)
    assert head_of(repository) != head_of(other)


def test_a_copy_of_this_repository_leaves_the_callers_branch_alone(tmp_path, other, monkeypatch):
    before = head_of(other)
    (other / "diffbio" / "loss.py").write_text("2")
    monkeypatch.setattr(scratch, "ROOT", other)
    monkeypatch.setattr(scratch, "_borrow_what_is_installed", lambda _: None)
    copy = tmp_path / "copy"
    copy.mkdir()
    scratch.copy_repository(copy)
    assert (copy / ".git").is_dir()
    assert head_of(copy) != before == head_of(other)
    done = scratch.python(copy, "timeit", "-n1", "-r1", "import os; print(os.environ['GIT_DIR'])")
    assert "KeyError" in done.stderr


def test_outside_of_a_repository_nothing_is_committed(repository):
    """A copy of the code, which lies in a repository that is not its own, as an archive may."""
    inside = repository / "unpacked"
    (inside / "diffbio").mkdir(parents=True)
    (inside / "diffbio" / "loss.py").write_text("1")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(checkout, "_ROOT", inside)
        commit_found, dirty, first = state()
        assert (commit_found, dirty) == (None, True)
        (inside / "diffbio" / "loss.py").write_text("2")
        assert checkout.uncommitted_code() not in (None, first)


def owned_by_somebody_else(folder, patch):
    patch.setenv("GIT_TEST_ASSUME_DIFFERENT_OWNER", "1")
    patch.setattr(git, "environment_without_git", lambda: dict(os.environ))
    return "dubious ownership"


def without_head(folder, _):
    (folder / ".git" / "HEAD").unlink()
    return "not a git repository"


def without_objects(folder, _):
    for path in (folder / ".git" / "objects").glob("??/*"):
        path.unlink()
    return "git ls-tree: fatal"


def without_git(_, patch):
    patch.setenv("PATH", "")
    return "git cannot be called"


@pytest.mark.parametrize(
    "damage", [owned_by_somebody_else, without_head, without_objects, without_git]
)
def test_what_git_cannot_answer_is_an_error_in_its_words(repository, monkeypatch, damage):
    said = damage(repository, monkeypatch)
    with pytest.raises(GitError, match=said):
        state()


def test_a_command_that_git_stops_says_why_and_measures_nothing(repository, tmp_path, monkeypatch):
    monkeypatch.setattr("benchmarks.measure.sweep.run.measure_step", lambda *_, **__: 1 / 0)
    without_head(repository, monkeypatch)
    found = CliRunner().invoke(main, ["sweep", f"--output={tmp_path / 'sweep.json'}"])
    assert found.exit_code == 2
    assert "not a git repository" in found.stderr
    with pytest.raises(GitError):
        run_sweep(tmp_path / "sweep.json", (64,), ["simpson"], real=False)


def test_measurements_are_kept_under_the_commit_of_a_clean_tree_alone(repository):
    """What `make bench` tells asv."""

    def told():
        found = CliRunner().invoke(main, ["commit"])
        return found.exit_code, found.stdout.strip(), found.stderr

    assert told() == (0, head_of(repository), "")
    (repository / "README.md").write_text("an edit that is no code")
    code, printed, error = told()
    assert (code, printed) == (2, "")
    assert error.startswith("there are uncommitted changes: what is measured now is not of")
    bench = (ROOT / "Makefile").read_text().partition("\nbench:")[2].partition("\n\n")[0]
    assert bench.index("-m benchmarks commit") < bench.index("asv run")


def test_pytest_benchmark_records_the_commit_and_its_changes_as_a_sweep_does(repository):
    (repository / "diffbio" / "new.py").write_text("untracked, which git describe does not tell")
    found = {"id": "of another repository", "dirty": False, "branch": "main"}
    pytest_benchmark_update_commit_info(found)
    assert found == {"id": head_of(repository), "dirty": True, "branch": "main"}


def test_git_is_called_in_one_place():
    """Nothing else starts git: it would be asked in an environment that is not cleaned."""
    files = [
        path
        for name in ("benchmarks", "experiments", "reports", "tests")
        for path in ROOT.glob(f"{name}/**/*.py")
    ]
    callers = [path for path in files if '["git"' in path.read_text()]
    assert [
        path.relative_to(ROOT).as_posix() for path in callers if path.name != "test_checkout.py"
    ] == ["benchmarks/schema/git.py"]
