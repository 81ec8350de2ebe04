"""The search, and the losses over its neighbours with gradients, run inside ``shard_map``."""

import json
import os
import subprocess
import sys

import pytest

pytestmark = pytest.mark.slow

CODE = """
import json
import jax, jax.numpy as jnp, numpy as np
from jax.sharding import AxisType, PartitionSpec
from diffbio.functional import batch_mixing_loss, velocity_transition_loss
from diffbio.neighbors import nearest_neighbors

mesh = jax.make_mesh((2,), ("cells",), axis_types=(AxisType.Auto,))
rng = np.random.default_rng(0)
x, v = (jnp.asarray(rng.normal(size=(600, 4)), jnp.float32) for _ in range(2))
x = x.at[::50].set(x[0])
labels = jnp.arange(600) % 3
indices = jnp.tile(nearest_neighbors(x[:300], 5).indices, (2, 1))

def search(x, v, labels, indices):
    return tuple(nearest_neighbors(x, 5, block_size=32))

def many(x, v, labels, indices):
    return tuple(nearest_neighbors(x, 200, block_size=32))

def mixing(x, v, labels, indices):
    return batch_mixing_loss(x, labels, n_neighbors=5, block_size=32)

def mixing_of_listed(x, v, labels, indices):
    return batch_mixing_loss(x, labels, neighbor_indices=indices)

def transition(x, v, labels, indices):
    return velocity_transition_loss(x, v, n_neighbors=5)

def with_gradient(loss):
    def program(*arguments):
        value, gradients = jax.value_and_grad(loss, argnums=(0, 1))(*arguments)
        return value[None], gradients
    return program

programs = {f.__name__: f for f in (search, many)}
for loss in (mixing, mixing_of_listed, transition):
    programs[loss.__name__] = with_gradient(loss)

arguments = (x, v, labels, indices)
cells = PartitionSpec("cells")
found = {}
for name, program in programs.items():
    try:
        sharded = jax.jit(jax.shard_map(program, mesh=mesh, in_specs=cells, out_specs=cells))
        results = jax.tree.leaves(sharded(*arguments))
        alone = jax.jit(program)
        halves = [alone(*(a[part] for a in arguments)) for part in (np.s_[:300], np.s_[300:])]
        expected = [np.concatenate(pair) for pair in zip(*map(jax.tree.leaves, halves))]
        errors = [np.max(np.abs(a - b) / (1 + np.abs(b))) for a, b in zip(results, expected)]
        found[name] = float(max(errors))
    except Exception as error:
        found[name] = repr(error)[:500]
print(json.dumps(found))
"""
PROGRAMS = ["search", "many", "mixing", "mixing_of_listed", "transition"]


@pytest.fixture(scope="module")
def errors():
    environment = {**os.environ, "XLA_FLAGS": "--xla_force_host_platform_device_count=2"}
    run = subprocess.run(
        [sys.executable, "-c", CODE],
        capture_output=True,
        text=True,
        check=True,
        env={**environment, "JAX_PLATFORMS": "cpu"},
    )
    return json.loads(run.stdout)


@pytest.mark.parametrize("program", PROGRAMS)
def test_each_device_answers_for_its_own_cells(errors, program):
    assert isinstance(errors[program], float), errors[program]
    assert errors[program] <= 1e-6
