"""Importing the losses costs what importing Flax NNX costs, and no more."""

import json
import subprocess
import sys

CODE = """
import json, sys
from flax import nnx
before = set(sys.modules)
import diffbio.losses
print(json.dumps(sorted({name.split(".")[0] for name in set(sys.modules) - before})))
"""


def test_the_losses_import_nothing_heavy_beyond_nnx():
    result = subprocess.run(
        [sys.executable, "-c", CODE], capture_output=True, text=True, check=True
    )
    assert set(json.loads(result.stdout)) <= {"diffbio", "jaxtyping"}
