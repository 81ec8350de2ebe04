"""Train a corrector on the devices of all processes: of this machine, or of a job on a cluster."""

import argparse
import os
from pathlib import Path

import jax
import jax.numpy as jnp
from flax import nnx

from diffbio.datasets import simulate_clusters
from diffbio.functional import Perplexity, batch_mixing_loss
from diffbio.models import BatchCorrector
from diffbio.sharding import sharded
from diffbio.training import fit

parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument("--n-cells", type=int, default=100_000)
parser.add_argument("--n-steps", type=int, default=400)
parser.add_argument("--batch-size", type=int, default=8192)
parser.add_argument("--checkpoint", type=Path, help="a folder that all processes see")
options = parser.parse_args()

# Before anything else of JAX. If a process dies, the others end within these seconds.
limits = {"heartbeat_timeout_seconds": 20, "shutdown_timeout_seconds": 20}
if "SLURM_STEP_NODELIST" in os.environ:  # srun started this process
    jax.distributed.initialize(**limits)
elif "JOB_COMPLETION_INDEX" in os.environ:  # an indexed Job of Kubernetes did
    jax.distributed.initialize(
        os.environ["COORDINATOR"],
        num_processes=int(os.environ["N_PROCESSES"]),
        process_id=int(os.environ["JOB_COMPLETION_INDEX"]),
        **limits,
    )

mesh = jax.make_mesh((jax.device_count(),), ("cells",))
mixing = sharded(batch_mixing_loss, mesh)
# Every process has the same cells on its host; the devices hold their shares of a minibatch.
cells = simulate_clusters(options.n_cells, n_batches=3, seed=0)
data = {"features": cells.embeddings, "batch_ids": cells.batch_labels}
variance = cells.embeddings.var(axis=0).sum()


def objective(result, batch, where):
    corrected = result["corrected_features"]
    mixed = mixing(corrected, batch["batch_ids"], temperature=Perplexity(), where=where)
    moved = jnp.mean(jnp.sum((corrected - batch["features"]) ** 2, axis=1), where=where)
    return mixed + moved / variance


model = BatchCorrector(cells.embeddings.shape[1], n_batches=3, rngs=nnx.Rngs(0))
history = fit(
    model,
    data,
    objective,
    n_steps=options.n_steps,
    batch_size=options.batch_size,
    checkpoint=options.checkpoint,
    progress=jax.process_index() == 0,
    mesh=mesh,
)
if jax.process_index() == 0:
    print(f"{jax.device_count()} devices of {jax.process_count()} processes: "
          f"loss {history.losses[0]:.6f} at first, {history.losses[-1]:.6f} at last")  # fmt: skip
