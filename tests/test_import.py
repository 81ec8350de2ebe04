"""Importing costs what is used: the package nothing, the losses what Flax NNX costs."""

import json
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

import diffbio
from tests.tiers import tiered

ROOT = Path(__file__).resolve().parents[1]
LOADED = """
import json, sys
{before}
before = set(sys.modules)
{then}
print(json.dumps(sorted({{name.split(".")[0] for name in set(sys.modules) - before}})))
"""


def packages_loaded(then, before=""):
    """What the statement imports in a fresh interpreter, beyond what was there before."""
    code = LOADED.format(before=before, then=then)
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT)
    assert not result.returncode, result.stderr
    return set(json.loads(result.stdout)) - set(sys.stdlib_module_names)


def test_the_losses_import_nothing_heavy_beyond_nnx():
    assert packages_loaded("import diffbio.losses", "from flax import nnx") <= {
        "diffbio",
        "jaxtyping",
    }


def test_the_package_imports_nothing_until_a_folder_is_used():
    assert packages_loaded("import diffbio; dir(diffbio); diffbio.__version__") == {"diffbio"}


@pytest.mark.parametrize(
    "folder",
    tiered(
        [name for name in diffbio.__all__ if name not in ("__version__", "torch")],
        quick=["functional"],
    ),
)
def test_every_folder_is_an_attribute_of_the_package(folder):
    then = f"import diffbio; diffbio.{folder}.__all__; from diffbio import {folder}"
    assert "diffbio" in packages_loaded(then)
    assert folder in dir(diffbio)
    assert folder in diffbio.__all__


def test_the_losses_for_pytorch_are_an_attribute_beside_pytorch():
    pytest.importorskip("torch")
    then = "import torch; import diffbio.torch; assert diffbio.torch is not torch; torch.ones(1)"
    assert "torch" in packages_loaded(then)
    assert "torch" not in packages_loaded("import diffbio; import diffbio.functional")
    assert "torch" in dir(diffbio)


def test_what_the_package_does_not_have_is_an_attribute_error():
    with pytest.raises(AttributeError, match="module 'diffbio' has no attribute 'models_'"):
        _ = diffbio.models_


def test_the_version_is_that_of_pyproject():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert diffbio.__version__ == project["version"]


@pytest.mark.parametrize("folder", ["benchmarks", "examples", "experiments", "reports"])
def test_no_folder_imports_a_private_module_of_another(folder):
    imported = re.compile(r"^\s*(?:from|import) (\w+)((?:\.\w+)*)(?: import (\w+))?", re.MULTILINE)
    found = [
        (path.name, root + rest, name)
        for path in (ROOT / folder).rglob("*.py")
        for root, rest, name in imported.findall(path.read_text())
        if root not in (folder, "__future__") and ("._" in rest or name.startswith("_"))
    ]
    assert found == []
