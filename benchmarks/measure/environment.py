"""The machine, the software and the commit that a measurement comes from."""

import datetime
import importlib.metadata
import os
import platform
import shlex
import sys
from typing import Any

import cpuinfo
import jax
import psutil
from threadpoolctl import threadpool_info

from benchmarks.measure import checkout
from benchmarks.schema.environment import JAX_SETTINGS, Environment
from benchmarks.schema.files import utf_8

__all__ = ["CHOICES", "choices", "command_line", "environment", "usable_cores"]

# Variables that choose what is measured, or how it is compiled.
CHOICES = (
    "DIFFBIO_BENCH_TIER",
    "DIFFBIO_BENCH_LOSSES",
    "XLA_FLAGS",
    "JAX_PLATFORMS",
    *(name.upper() for name in JAX_SETTINGS),
)
_PACKAGES = ("jax", "jaxlib", "flax", "numpy", "scipy", "scanpy", "torch", "asv", "diffbio")


def environment() -> dict[str, Any]:
    """The machine, the software and the commit, as they are now.

    Raises:
        GitError: git cannot tell which commit this is, or whether it is changed.
    """
    cpu, changes = cpuinfo.get_cpu_info(), checkout.uncommitted_code()
    return Environment(
        date=datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        command=command_line(shlex.join(["python", "-m", _module_name(), *sys.argv[1:]])),
        commit=checkout.commit(),
        dirty=checkout.is_dirty(changes),
        changes=changes,
        machine=platform.node(),
        os=platform.platform(),
        cpu=cpu.get("brand_raw", platform.processor()),
        architecture=platform.machine(),
        vector_extensions=sorted(f for f in cpu.get("flags", ()) if f.startswith("avx")),
        cores=len(usable_cores()),
        memory_bytes=psutil.virtual_memory().total,
        python=platform.python_version(),
        packages={name: v for name in _PACKAGES if (v := _version(name))},
        xla_flags=os.environ.get("XLA_FLAGS", ""),
        jax_platforms=os.environ.get("JAX_PLATFORMS", ""),
        **{name: jax.config.values[name] for name in JAX_SETTINGS},
        blas=_blas(),
        devices=[f"{device.platform}: {device.device_kind}" for device in jax.devices()],
    ).row()


def choices() -> dict[str, str]:
    """The variables of the environment that choose what is measured, as far as they are set."""
    return {name: value for name in CHOICES if (value := os.environ.get(name))}


def command_line(command: str) -> str:
    """The command after the variables that choose what is measured, as a shell takes both.

    A variable may hold bytes that are no text in this locale.
    """
    chosen = (f"{name}={shlex.quote(value)}" for name, value in choices().items())
    return utf_8(" ".join([*chosen, command])).decode()


def usable_cores() -> list[int]:
    """Cores that this process may use: XLA takes as many threads, and so does every peer."""
    if hasattr(os, "sched_getaffinity"):
        return sorted(os.sched_getaffinity(0))
    return list(range(os.cpu_count() or 1))


def _module_name() -> str:
    spec = getattr(sys.modules["__main__"], "__spec__", None)
    return spec.name.removesuffix(".__main__") if spec else "benchmarks"


def _version(package: str) -> str | None:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None


def _blas() -> list[str]:
    """The libraries behind NumPy's products, with the processor whose kernels they chose."""
    libraries = [one for one in threadpool_info() if one["user_api"] == "blas"]
    names = ("internal_api", "version", "architecture", "num_threads")
    return sorted({" ".join(str(one.get(name)) for name in names) for one in libraries})
