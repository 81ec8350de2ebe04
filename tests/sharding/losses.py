"""Meshes, and the losses of the catalog over them."""

import functools

import jax
import numpy as np
from jax.sharding import Mesh

from diffbio.sharding import sharded

VALUE = {"float64": 1e-12, "float32": 1e-6}
GRADIENT = {"float64": 1e-11, "float32": 1e-5}


@functools.cache
def mesh_of(n_shards):
    return Mesh(np.array(jax.devices()[:n_shards]), ("cells",))


@functools.cache
def program(case, n_shards, **options):
    """The compiled value and gradients by the differentiated arrays; on one device for None."""
    loss = case.loss if n_shards is None else sharded(case.loss, mesh_of(n_shards))
    return jax.jit(jax.value_and_grad(lambda d, c: loss(**d, **c, **options)))
