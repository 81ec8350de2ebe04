"""The user's locale, files and variables change neither a page nor a picture, and break neither."""

import ast
import json
import os
import subprocess
import sys

import pytest

from benchmarks.schema.files import utf_8
from tests.reports.written import CALL, PROGRAM, all_records, asv, pytest_benchmark, sweep
from tests.reports.written_rounds import rounds
from tests.scratch import ROOT
from tests.tiers import tiered

# Of a process alone: its locale, and which file of settings matplotlib finds on import.
ASCII = {"LC_ALL": "C", "PYTHONCOERCECLOCALE": "0", "PYTHONUTF8": "0"}
COMMANDS = """
import sys
import reports.sweep.publishing
import reports.sweep.page
from pathlib import Path
from types import SimpleNamespace
from reports.commits import change as commits
from reports.__main__ import main
from tests.reports.written import change

measured = Path(sys.argv[1])
commits.change_between = lambda *_, **__: change()
commits.renews_baseline = lambda *_: False
reports.sweep.page.plots = lambda *_: ()
picture = SimpleNamespace(name="throughput", write_png=Path.touch)
reports.sweep.publishing.plots = lambda *_, **__: iter([picture])
sweep, asv = (f"--results={measured / name}" for name in ("sweep.json", "asv"))
for command in (
    ["build", sweep, asv],
    ["compare", "base", "head", f"--results={measured / 'rounds'}"],
    ["publish", sweep],
    ["rebuild"],
):
    try:
        main(command)
    except SystemExit as ended:
        print("exit code", ended.code)
"""
DRAW = """
import sys
from pathlib import Path
from reports.writing.plotting import Plot, curves, panels, write_plots
import pandas as pd

rows = [
    {"loss": "simpson", "transform": "value", "device": "cpu", "n_cells": n, "value": n / 7}
    for n in (256, 4096)
]
figure = panels(
    lambda axes, loss: curves(axes, pd.DataFrame(rows), loss, 1, unit="s"), "cells", "s"
)
write_plots(Path(sys.argv[1]), [Plot("one", "title", "description", figure, pd.DataFrame(rows))])
"""


def python(folder, script, *arguments, **variables):
    inherited = {name: value for name, value in os.environ.items() if name != "MPLBACKEND"}
    environment = {**inherited, "PYTHONPATH": str(ROOT), **variables}
    return subprocess.run(
        [sys.executable, "-c", script, *map(str, arguments)],
        cwd=folder, env=environment, capture_output=True, encoding="utf-8", errors="replace",
    )  # fmt: skip


def files(folder):
    found = [path for path in folder.rglob("*") if path.is_file()]
    return {str(path.relative_to(folder)): path.read_bytes() for path in found}


def test_a_locale_without_utf_8_changes_no_byte_and_breaks_nothing(tmp_path):
    measured = tmp_path / "measured"
    sweep(measured / "sweep.json", all_records(), cpu="Prozessor → µ", os="Größe")
    asv(measured / "asv", "a", 0, {CALL: {PROGRAM: 1e-6}}, machine="Größe")
    rounds(measured / "rounds")
    found = {}
    for name, locale in {"usual": {"PYTHONUTF8": "1"}, "ASCII": ASCII}.items():
        folder = tmp_path / name
        folder.mkdir()
        folder.joinpath("README.md").write_text(
            "µ <!-- newest report -->\n<!-- end of newest report -->", encoding="utf-8"
        )
        ended = python(folder, COMMANDS, measured, **locale)
        assert "Traceback" not in ended.stderr, ended.stderr
        assert ended.stdout.count("exit code 0") == 4, ended.stdout + ended.stderr
        found[name] = files(folder)
    assert found["usual"] == found["ASCII"]
    assert len(found["usual"]) > 10
    assert "Prozessor → µ".encode() in found["ASCII"]["README.md"]


def test_a_name_that_is_no_text_is_escaped(tmp_path):
    folder = tmp_path / os.fsdecode(b"gr\xf6\xdfe")
    folder.mkdir()
    (folder / "damaged.json").write_text("{")
    script = "from reports.__main__ import main; main()"
    ended = python(tmp_path, script, "build", f"--results={folder}", "--output=page", **ASCII)
    assert (ended.returncode, "Traceback" in ended.stderr) == (2, False), ended.stderr
    assert r"gr\xf6\xdfe" in (tmp_path / "page" / "index.html").read_text()


def test_what_stands_for_no_character_and_for_no_byte_is_escaped(tmp_path):
    """JSON can name half of a pair of surrogates, which no file holds."""
    assert utf_8("\ud800 \udcff ä \U0001f600") == rb"\ud800 \xff " + "ä \U0001f600".encode()
    path = pytest_benchmark(tmp_path / "pytest.json")
    content = json.loads(path.read_text())
    content["benchmarks"].append({"name": "half \ud800", "extra_info": {}})
    path.write_text(json.dumps(content))
    script = "from reports.__main__ import main; main()"
    ended = python(tmp_path, script, "build", f"--results={path}", "--output=page")
    assert (ended.returncode, "Traceback" in ended.stderr) == (0, False), ended.stderr
    assert r"half \ud800" in (tmp_path / "page" / "index.html").read_text()


HOSTILE = b"text.usetex: True\nfont.size: 30\nfigure.facecolor: red\nsvg.fonttype: path\n"


@pytest.fixture(scope="module")
def usual(tmp_path_factory):
    """The files of a picture that is drawn where there are no settings."""
    folder = tmp_path_factory.mktemp("usual")
    ended = python(folder, DRAW, folder)
    assert ended.returncode == 0, ended.stderr
    return files(folder)


@pytest.mark.parametrize(
    "content",
    tiered([HOSTILE, b"font.size: \xff"], quick=[HOSTILE]),
    ids=["hostile", "no text"],
)
@pytest.mark.parametrize(
    "place", tiered(["working folder", "variable", "home"], quick=["working folder"])
)
def test_settings_of_matplotlib_that_are_found_change_no_picture(tmp_path, usual, place, content):
    (tmp_path / "matplotlib").mkdir()
    (tmp_path / "matplotlib" / "matplotlibrc").write_bytes(content)
    cwd, variables = tmp_path, {"MPLBACKEND": "no such backend"}
    if place == "working folder":
        cwd = tmp_path / "matplotlib"
    if place == "variable":
        variables["MATPLOTLIBRC"] = str(tmp_path / "matplotlib" / "matplotlibrc")
    if place == "home":
        variables["XDG_CONFIG_HOME"] = str(tmp_path)
    (tmp_path / "drawn").mkdir()
    ended = python(cwd, DRAW, tmp_path / "drawn", **variables)
    assert ended.returncode == 0, ended.stderr
    assert files(tmp_path / "drawn") == usual


def without_encoding(path):
    """Calls that read or write text in the encoding of the locale, without saying so."""
    calls = [node for node in ast.walk(ast.parse(path.read_bytes())) if isinstance(node, ast.Call)]
    for node in calls:
        name = getattr(node.func, "attr", getattr(node.func, "id", ""))
        given = {keyword.arg: keyword.value for keyword in node.keywords}
        implied = {"text", "universal_newlines"} & {*given}
        is_file = name in ("read_text", "write_text") and isinstance(node.func, ast.Attribute)
        if implied or (is_file and "encoding" not in given):
            yield f"{path.relative_to(ROOT)}:{node.lineno}"


def test_every_text_names_its_encoding():
    found = [
        place
        for folder in ("benchmarks", "reports")
        for path in sorted((ROOT / folder).rglob("*.py"))
        for place in without_encoding(path)
    ]
    assert found == []
