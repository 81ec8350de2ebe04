"""The workflow of a pull request: its verdict and its page survive whatever else goes wrong."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[1]
WORKFLOW = yaml.safe_load((ROOT / ".github" / "workflows" / "benchmarks.yml").read_text())
LONGEST_COMMENT = 65536
ROWS = "".join(f"regressed row {at} {'x' * 200}\n" for at in range(300))
PYTHON = """#!/bin/sh
case $3 in
  gate) echo "a progress bar, then the reason" >&2; cat gate-says; exit {gate} ;;
  compare) mkdir -p results/comparison; cat said > results/comparison/comment.md; exit {compare} ;;
esac
"""


def script(path, text):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    path.chmod(0o755)


@pytest.fixture
def job(tmp_path):
    """Runs the steps as GitHub does, and returns what the job leaves."""
    script(tmp_path / "bin" / "make", "#!/bin/sh\nexit 0\n")
    shutil.copytree(ROOT / ".ci", tmp_path / ".ci")

    def run(gate=0, compare=0, *, may_comment=True, says=f"{ROWS}Fails: 300.\n", page="page\n"):
        (tmp_path / "gate-says").write_text(says)
        (tmp_path / "said").write_text(page)
        script(tmp_path / ".venv/bin/python", PYTHON.format(gate=gate, compare=compare))
        script(tmp_path / "bin" / "gh", f"#!/bin/sh\nexit {int(not may_comment)}\n")
        return _ended(tmp_path)

    return run


def _ended(folder):
    """The exit code of each step that ran, by its name or what it uses."""
    ended, outputs, fails = {}, {}, False
    for step in WORKFLOW["jobs"]["compare"]["steps"]:
        name = step.get("name", step.get("uses", step.get("run")))
        if fails and step.get("if") != "always()":
            continue
        ended[name] = _code(step, outputs, folder) if "run" in step else 0
        fails |= ended[name] != 0 and not step.get("continue-on-error", False)
    return ended


def _code(step, outputs, folder):
    def value(found):
        path = found[1].split(".")
        return outputs.get(path[1], "") if path[0] == "steps" else "anything"

    written = folder / "output"
    written.write_text("")
    run = subprocess.run(
        ["bash", "-e", "-c", re.sub(r"\$\{\{ (\S+) \}\}", value, step["run"])],
        cwd=folder,
        env={
            "PATH": f"{folder / 'bin'}:/usr/bin:/bin",
            "GITHUB_OUTPUT": str(written),
            "GITHUB_STEP_SUMMARY": str(folder / "summary.md"),
        },
        check=False,
        capture_output=True,
    )
    for line in written.read_text().splitlines():
        outputs[step["id"]] = line.removeprefix("code=")
    return run.returncode


@pytest.mark.parametrize(
    ("gate", "compare", "verdict"),
    [
        (0, 0, 0),
        (1, 0, 1),
        (0, 1, 1),
        (1, 1, 1),
        (1, 2, 1),
        (2, 1, 1),
        (2, 0, 2),
        (0, 2, 2),
        (2, 2, 2),
        (0, 137, 2),
        (1, 137, 1),
    ],
)
def test_the_verdict_is_1_if_anything_fails_or_else_2_if_anything_is_unjudged(
    job, gate, compare, verdict
):
    assert job(gate, compare)["Verdict"] == verdict


@pytest.mark.parametrize("code", [0, 1, 2])
def test_a_fork_that_may_not_comment_still_has_page_and_verdict(job, code, tmp_path):
    ended = job(compare=code, may_comment=False)
    assert (ended["Comment"], ended["Verdict"]) == (1, code)
    assert "actions/upload-artifact@v4" in ended
    assert (tmp_path / "summary.md").read_text() == (tmp_path / "comment.md").read_text()


def test_a_job_that_measured_nothing_is_unjudged(job, tmp_path):
    script(tmp_path / "bin" / "make", "#!/bin/sh\nexit 1\n")
    ended = job()
    assert "Gate" not in ended
    assert ended["Verdict"] == 2


def test_the_comment_has_the_gates_verdict_and_its_worst_rows(job, tmp_path):
    job(1, page="x" * 60_000)
    said = (tmp_path / "comment.md").read_text()
    assert "regressed row 0 " in said
    assert said.count("Fails: 300.\n") == 1
    assert "progress bar" not in said
    assert len(said) < LONGEST_COMMENT


def test_the_comment_says_why_the_gate_could_not_judge(job, tmp_path):
    job(2, says="")
    assert "the reason" in (tmp_path / "comment.md").read_text()
