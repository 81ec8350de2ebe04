"""What the processes compute, each alone or all of them as one."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial
from typing import Any

import jax
import numpy as np
from jax.experimental import multihost_utils
from jax.sharding import Mesh, NamedSharding, PartitionSpec

from benchmarks.catalog.cases import Arrays
from benchmarks.distributed.checks import Check, Result
from benchmarks.distributed.launcher import Member
from diffbio.sharding import sharded

__all__ = ["alone", "join", "together"]

# A process that is gone, or never came, ends the others within a minute.
_JOIN_SECONDS = 45
_HEARTBEAT_SECONDS = 20
_SHUTDOWN_SECONDS = 20


def alone(_: Member, checks: Iterable[Check]) -> Iterator[Result]:
    """The result of every check on one device."""
    _take_processors(1)
    for check in checks:
        compiled = jax.jit(partial(_result, check.case.loss, check.case.differentiable))
        yield jax.device_get(compiled(check.inputs()))


def together(member: Member, n_devices: int, checks: Iterable[Check]) -> Iterator[Result]:
    """The result of every check on the devices of all processes.

    Args:
        member: this process.
        n_devices: how many devices each process has.
        checks: what is computed.
    """
    join(member, n_devices)
    mesh = jax.make_mesh((jax.device_count(),), ("cells",))
    for check in checks:
        print(check, flush=True)
        arrays = _on_mesh(check.inputs(), mesh, member)
        found = _result(sharded(check.case.loss, mesh), check.case.differentiable, arrays)
        yield multihost_utils.process_allgather(found, tiled=True)
    jax.distributed.shutdown()


def join(member: Member, n_devices: int) -> None:
    """Make the devices of all processes one; a process that is gone ends this one."""
    _take_processors(n_devices)
    jax.distributed.initialize(
        member.address,
        member.n_processes,
        member.process_id,
        coordinator_bind_address=member.address,
        initialization_timeout=_JOIN_SECONDS,
        heartbeat_timeout_seconds=_HEARTBEAT_SECONDS,
        shutdown_timeout_seconds=_SHUTDOWN_SECONDS,
    )


def _take_processors(n_devices: int) -> None:
    """Make this process one with so many devices, all of them the processor.

    An error then has its message in the last line, which the launcher reports.
    """
    jax.config.update("jax_traceback_filtering", "off")
    jax.config.update("jax_platforms", "cpu")
    jax.config.update("jax_num_cpu_devices", n_devices)
    jax.config.update("jax_enable_x64", True)


def _on_mesh(arrays: Arrays, mesh: Mesh, member: Member) -> Arrays:
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


def _result(
    loss: Callable[..., Any], differentiable: Iterable[str], arrays: Mapping[str, Any]
) -> Result:
    varied = {name: arrays[name] for name in differentiable}
    fixed = {name: array for name, array in arrays.items() if name not in varied}
    return Result(*jax.value_and_grad(lambda varied: loss(**varied, **fixed))(varied))
