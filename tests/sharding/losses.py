"""Meshes, and the losses of the catalog over them."""

import functools

import jax
import numpy as np
import pytest
from jax.sharding import Mesh

from benchmarks.catalog.cases import CATALOG
from diffbio.sharding import sharded

VALUE = {"float64": 1e-12, "float32": 1e-6}
GRADIENT = {"float64": 1e-11, "float32": 1e-5}
# Each of these compiles code of its own; the others compile variants or sums of them.
QUICK = (
    "batch_mixing",
    "batch_mixing_precomputed",
    "compactness",
    "velocity",
    "velocity_transition",
    "shannon",
    "simpson",
)


def every_case(*, quick=QUICK, cases=CATALOG):
    """Parametrizes a test over the catalog, of which ``make test`` takes the quick ones."""
    slow = pytest.mark.slow
    return pytest.mark.parametrize(
        "case",
        [pytest.param(c, id=c.name, marks=() if c.name in quick else slow) for c in cases],
    )


@functools.cache
def mesh_of(n_shards):
    return Mesh(np.array(jax.devices()[:n_shards]), ("cells",))


@functools.cache
def program(case, n_shards, **options):
    """The compiled value and gradients by the differentiated arrays; on one device for None."""
    loss = case.loss if n_shards is None else sharded(case.loss, mesh_of(n_shards))
    return jax.jit(jax.value_and_grad(lambda d, c: loss(**d, **c, **options)))
