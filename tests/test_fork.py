"""A process that was forked after JAX was used says so at once, where JAX would hang in it."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.tiers import tiered

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no forks")
ROOT = Path(__file__).resolve().parents[1]

PARENT = """
import os, signal, sys, warnings
warnings.simplefilter("ignore")
import numpy as np
x, labels = np.random.default_rng(0).normal(size=(30, 3)), np.arange(30) % 3
a = np.full((30, 2), 0.5)
{before}

def called():
    {call}

child = os.fork()
if child:
    sys.exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
signal.alarm(60)  # A child that hangs ends by itself.
status = 3
try:
    called()
    status = 0
except RuntimeError as error:
    print(error)
    status = 1 if "spawn" in str(error) else 2
finally:
    sys.stdout.flush()
    os._exit(status)
"""
USED = "import jax; jax.numpy.ones(3).sum().block_until_ready(); "
REFUSED, ANSWERED = 1, 0


def run(before, call):
    """How a forked process ends that does the second after its parent did the first."""
    process = subprocess.Popen(
        [sys.executable, "-c", PARENT.format(before=before, call=call)],
        cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True,
    )  # fmt: skip
    try:
        output, errors = process.communicate(timeout=100)
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
    return process.returncode, output + errors


MIXING = "from diffbio import functional as f, losses, models, neighbors, sharding, training; "
MODULE = MIXING + USED + "loss = losses.BatchMixingLoss()"
MESH = (
    MIXING
    + USED
    + "over_all = sharding.sharded(f.shannon_diversity, jax.make_mesh((1,), ('cells',)))"
)
MODEL = (
    MIXING + USED + "from flax import nnx; model = models.BatchCorrector(3, 3, rngs=nnx.Rngs(0))"
)
OBJECTIVE = "lambda result, batch, where: result['corrected_features'].sum()"
IN_TORCH = "import torch, diffbio.torch; " + USED
CALLS = {
    "function": (MIXING + USED, "f.batch_mixing_loss(x, labels)"),
    "function of JAX's arrays": (
        MIXING + USED + "x = jax.numpy.asarray(x)",
        "f.batch_mixing_loss(x, labels)",
    ),
    "combined": (
        MIXING + USED + "w = 3 * [jax.numpy.ones(())]",
        "f.combined_loss(x, labels, a, weights=w)",
    ),
    "gradient": (MIXING + USED, "jax.jit(jax.grad(f.shannon_diversity))(a)"),
    "used by the loss": (MIXING + "f.shannon_diversity(a)", "f.shannon_diversity(a)"),
    "module": (MODULE, "loss(x, labels)"),
    "neighbors": (MIXING + USED, "neighbors.nearest_neighbors(x, 3)"),
    "approximate neighbors": (MIXING + USED, "neighbors.approximate_neighbors(x, 3)"),
    "sharded": (MESH, "over_all(a)"),
    "model": (MODEL, "model.apply({'features': x, 'batch_ids': labels}, {}, None)"),
    "new model": (MODEL + "; rngs = nnx.Rngs(0)", "models.BatchCorrector(3, 3, rngs=rngs)"),
    "training": (
        MODEL,
        f"training.fit(model, {{'features': x, 'batch_ids': labels}}, {OBJECTIVE}, progress=False)",
    ),
    "first imported in the fork": ("import diffbio; " + USED, MIXING + "f.shannon_diversity(a)"),
    "fork of a fork": (
        MIXING + USED,
        "(fork := os.fork()) and os._exit(os.waitstatus_to_exitcode(os.waitpid(fork, 0)[1])); "
        "f.shannon_diversity(a)",
    ),
}
IN_PYTORCH = {
    "tensors": (IN_TORCH, "diffbio.torch.shannon_diversity(torch.tensor(a))"),
    "tensors with gradients": (
        IN_TORCH,
        "diffbio.torch.shannon_diversity(torch.tensor(a, requires_grad=True)).backward()",
    ),
}


@pytest.mark.parametrize("what", tiered(CALLS, quick=["function", "new model"]))
def test_every_entrance_is_refused_in_a_fork_at_once(what):
    ended, output = run(*CALLS[what])
    assert ended == REFUSED, output
    assert 'DataLoader(..., multiprocessing_context="spawn")' in output


@pytest.mark.parametrize("what", tiered(IN_PYTORCH, quick=["tensors with gradients"]))
def test_losses_of_tensors_are_refused_in_a_fork_at_once(what):
    pytest.importorskip("torch")
    ended, output = run(*IN_PYTORCH[what])
    assert ended == REFUSED, output


def test_a_fork_before_the_first_use_of_jax_computes():
    ended, output = run(MIXING, "assert abs(float(f.shannon_diversity(a)) - np.log(2)) < 1e-6")
    assert ended == ANSWERED, output


LOADER = """
import sys, warnings
warnings.simplefilter("ignore")
import torch, diffbio.torch

class Data(torch.utils.data.Dataset):
    def __len__(self): return 2
    def __getitem__(self, at): return diffbio.torch.shannon_diversity(torch.full((3, 2), 0.5))

if __name__ == "__main__":
    print(Data()[0])
    loader = torch.utils.data.DataLoader(
        Data(), num_workers=1, multiprocessing_context=sys.argv[1], timeout=60
    )
    print([round(float(batch), 3) for batch in loader])
"""


@pytest.mark.slow
def test_the_workers_of_a_data_loader_say_to_spawn_them_and_then_compute(tmp_path):
    pytest.importorskip("torch")
    (tmp_path / "load.py").write_text(LOADER)
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    found = {
        context: subprocess.run(
            [sys.executable, tmp_path / "load.py", context],
            env=environment, capture_output=True, text=True, timeout=150, check=False,
        )
        for context in ("fork", "spawn")
    }  # fmt: skip
    assert found["fork"].returncode
    assert 'Start the process by "spawn" instead' in found["fork"].stderr
    assert "[0.693, 0.693]" in found["spawn"].stdout, found["spawn"].stderr
