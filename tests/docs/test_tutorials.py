"""The tutorials as they are kept: executed in order, without an error, and on no one's machine."""

import json
import re
from pathlib import Path

import pytest

FOLDER = Path(__file__).resolve().parents[2] / "docs" / "tutorials"
TUTORIALS = sorted(FOLDER.glob("*.ipynb"))


def test_every_tutorial_is_in_the_table_of_contents():
    listed = re.findall(r"^(\w+)$", (FOLDER / "index.md").read_text(), re.MULTILINE)
    assert sorted(listed) == [path.stem for path in TUTORIALS]


@pytest.mark.parametrize("path", TUTORIALS, ids=lambda path: path.stem)
def test_it_was_executed_once_from_top_to_bottom(path):
    notebook = json.loads(path.read_text())
    code = [cell for cell in notebook["cells"] if cell["cell_type"] == "code"]
    assert [cell["execution_count"] for cell in code] == list(range(1, len(code) + 1))
    outputs = [output for cell in code for output in cell["outputs"]]
    assert {output["output_type"] for output in outputs} <= {
        "display_data",
        "execute_result",
        "stream",
    }
    assert not [output for output in outputs if output.get("name") == "stderr"]
    assert not re.search(r'["\s(](/[\w.-]+){2,}/', json.dumps(outputs))


@pytest.mark.slow
@pytest.mark.parametrize("path", TUTORIALS, ids=lambda path: path.stem)
def test_it_still_runs(path):
    nbclient = pytest.importorskip("nbclient", reason="make docs installs it")
    nbformat = pytest.importorskip("nbformat")
    notebook = nbformat.read(path, as_version=4)
    client = nbclient.NotebookClient(notebook, resources={"metadata": {"path": str(FOLDER)}})
    client.execute()
