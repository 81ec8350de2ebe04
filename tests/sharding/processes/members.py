"""Processes that compute as one, and what they compute."""

import os
import socket
import traceback
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from multiprocessing import get_context
from typing import NamedTuple

import jax
import numpy as np
from jax.experimental import multihost_utils
from jax.sharding import NamedSharding, PartitionSpec

from benchmarks.catalog.cases import case
from benchmarks.measure.processes import end_with_parent
from diffbio.sharding import sharded
from diffbio.training import _fit
from tests.sharding.trainings import TRAININGS

# A process that is gone, or never came, ends the others within a minute.
JOIN_SECONDS, HEARTBEAT_SECONDS, SHUTDOWN_SECONDS = 45, 20, 20
COUNTED_SHARE = 0.8


class Check(NamedTuple):
    """One call of a loss with its gradient."""

    loss: str
    dtype: str
    masked: bool
    n_cells: int

    def inputs(self):
        """The arguments, which are the same in every process."""
        arrays = case(self.loss).make_inputs(self.n_cells, dtype=np.dtype(self.dtype))
        if not self.masked:
            return arrays
        counted = np.random.default_rng(0).random(self.n_cells) < COUNTED_SHARE
        return {**arrays, "where": counted}


class Member(NamedTuple):
    """A process among those that work together; process 0 listens at the address."""

    process_id: int
    n_processes: int
    address: str


def answer_of(function, n_processes, *arguments):
    """What process 0 returns from ``function(member, *arguments)``, which all processes call."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        address = f"127.0.0.1:{server.getsockname()[1]}"
    with ProcessPoolExecutor(n_processes, get_context("spawn"), end_with_parent) as pool:
        members = [Member(number, n_processes, address) for number in range(n_processes)]
        futures = [pool.submit(_call, function, member, *arguments) for member in members]
        first, *_ = [future.result() for future in futures]
    return first


def _call(function, member, *arguments):
    """Call it; a process that fails ends, since the others would wait for it for ever."""
    try:
        return function(member, *arguments)
    except BaseException:
        traceback.print_exc()
        os._exit(1)


def alone(_, checks):
    """The value and the gradients of every check on one device."""
    _take_processors(1)
    return [
        jax.device_get(jax.jit(partial(_result, case(check.loss).loss, check))(check.inputs()))
        for check in checks
    ]


def together(member, n_devices, checks):
    """The same on the devices of all processes, so many of each."""
    _join(member, n_devices)
    mesh = jax.make_mesh((jax.device_count(),), ("cells",))
    found = []
    for check in checks:
        arrays = _on_mesh(check.inputs(), mesh, member)
        result = _result(sharded(case(check.loss).loss, mesh), check, arrays)
        found.append(multihost_utils.process_allgather(result, tiled=True))
    jax.distributed.shutdown()
    return found


def train(member, name, options):
    """The losses of a training, for which process 0 wants a checkpoint after every step."""
    _join(member, n_devices=2)
    _fit.SECONDS_BETWEEN_CHECKPOINTS = 0.0 if member.process_id == 0 else 1000.0
    training, mesh = TRAININGS[name], jax.make_mesh((jax.device_count(),), ("cells",))
    objective = training.objective(mesh)
    losses = _fit.fit(training.model(), training.data, objective, mesh=mesh, **options).losses
    jax.distributed.shutdown()
    return losses


def _join(member, n_devices):
    """Make the devices of all processes one; a process that is gone ends this one."""
    _take_processors(n_devices)
    jax.distributed.initialize(
        member.address,
        member.n_processes,
        member.process_id,
        coordinator_bind_address=member.address,
        initialization_timeout=JOIN_SECONDS,
        heartbeat_timeout_seconds=HEARTBEAT_SECONDS,
        shutdown_timeout_seconds=SHUTDOWN_SECONDS,
    )


def _take_processors(n_devices):
    """Make this process one with so many devices, all of them the processor."""
    jax.config.update("jax_platforms", "cpu")
    jax.config.update("jax_num_cpu_devices", n_devices)
    jax.config.update("jax_enable_x64", True)


def _on_mesh(arrays, mesh, member):
    """Arrays of which each process contributes its rows, or NumPy's if they cannot be split."""
    if any(len(array) % mesh.size for array in arrays.values()):
        return arrays
    split = NamedSharding(mesh, PartitionSpec("cells"))
    return {
        name: jax.make_array_from_process_local_data(
            split, np.split(array, member.n_processes)[member.process_id]
        )
        for name, array in arrays.items()
    }


def _result(loss, check, arrays):
    varied = {name: arrays[name] for name in case(check.loss).differentiable}
    fixed = {name: array for name, array in arrays.items() if name not in varied}
    return jax.value_and_grad(lambda varied: loss(**varied, **fixed))(varied)
