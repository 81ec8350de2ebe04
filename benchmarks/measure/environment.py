"""The machine, the software and the commit that a measurement comes from."""

import datetime
import hashlib
import importlib.metadata
import os
import platform
import subprocess
import sys
from pathlib import Path
from typing import Any

import cpuinfo
import jax
import psutil
from threadpoolctl import threadpool_info

from benchmarks.schema.files import utf_8

__all__ = ["environment", "uncommitted_code", "usable_cores"]

_ROOT = Path(__file__).parents[2]
_JAX_SETTINGS = ("jax_enable_x64", "jax_default_matmul_precision")
_CODE = ("diffbio", "reference", "benchmarks")
_PACKAGES = ("jax", "jaxlib", "flax", "numpy", "scipy", "scanpy", "torch", "asv", "diffbio")


def environment() -> dict[str, Any]:
    """The machine, the software and the commit, as they are now."""
    cpu = cpuinfo.get_cpu_info()
    return {
        "date": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "command": _as_text(" ".join(["python", "-m", _module_name(), *sys.argv[1:]])),
        "commit": _git("rev-parse", "HEAD"),
        "dirty": bool(_git("status", "--porcelain")),
        "changes": uncommitted_code(),
        "machine": platform.node(),
        "os": platform.platform(),
        "cpu": cpu.get("brand_raw", platform.processor()),
        "architecture": platform.machine(),
        "vector_extensions": sorted(f for f in cpu.get("flags", ()) if f.startswith("avx")),
        "cores": len(usable_cores()),
        "memory_bytes": psutil.virtual_memory().total,
        "python": platform.python_version(),
        "packages": {name: v for name in _PACKAGES if (v := _version(name))},
        "xla_flags": os.environ.get("XLA_FLAGS", ""),
        "jax_platforms": os.environ.get("JAX_PLATFORMS", ""),
        **{name: getattr(jax.config, name) for name in _JAX_SETTINGS},
        "blas": _blas(),
        "devices": [f"{device.platform}: {device.device_kind}" for device in jax.devices()],
    }


def usable_cores() -> list[int]:
    """Cores that this process may use: XLA takes as many threads, and so does every peer."""
    if hasattr(os, "sched_getaffinity"):
        return sorted(os.sched_getaffinity(0))
    return list(range(os.cpu_count() or 1))


def _module_name() -> str:
    spec = getattr(sys.modules["__main__"], "__spec__", None)
    return spec.name.removesuffix(".__main__") if spec else "benchmarks"


def _as_text(argument: str) -> str:
    """What stands on the command line, which may be no text in this locale."""
    return utf_8(argument).decode()


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


def uncommitted_code() -> str | None:
    """A hash that tells one uncommitted state of the code from another; None for no change.

    Only the library, the references and the benchmarks count, not the sweep's own file.
    """
    changes = _git("diff", "HEAD", "--binary", "--", *_CODE)
    untracked = _git("ls-files", "--others", "--exclude-standard", "-z", "--", *_CODE)
    if not changes and not untracked:
        return None
    found = hashlib.sha256((changes or "").encode())
    for name in filter(None, (untracked or "").split("\0")):
        found.update(f"\0{name}\0".encode())
        found.update((_ROOT / name).read_bytes())
    return found.hexdigest()[:16]


def _git(*arguments: str) -> str | None:
    """Output of a git command in this checkout; None outside of one."""
    try:
        run = subprocess.run(
            ["git", *arguments],
            cwd=_ROOT,
            capture_output=True,
            encoding="utf-8",
            errors="replace",
            check=True,
        )
    except (OSError, subprocess.CalledProcessError):
        return None
    return run.stdout.strip()
