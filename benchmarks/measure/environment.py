"""What machine, what versions, what commit: the part of a manifest that cannot be chosen."""

import datetime
import hashlib
import importlib.metadata
import os
import platform
import subprocess
import sys
from typing import Any

import cpuinfo
import jax
import psutil

__all__ = ["environment", "usable_cores"]

_PACKAGES = ("jax", "jaxlib", "flax", "numpy", "scipy", "scanpy", "torch", "asv", "diffbio")


def environment() -> dict[str, Any]:
    """The machine, the software and the commit, as they are now."""
    cpu = cpuinfo.get_cpu_info()
    return {
        "date": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "command": " ".join(["python", "-m", _module_name(), *sys.argv[1:]]),
        "commit": _git("rev-parse", "HEAD"),
        "dirty": bool(_git("status", "--porcelain")),
        "changes": _digest_of(_git("diff", "HEAD")),
        "machine": platform.node(),
        "os": platform.platform(),
        "cpu": cpu.get("brand_raw", platform.processor()),
        "architecture": platform.machine(),
        "vector_extensions": sorted(f for f in cpu.get("flags", ()) if f.startswith("avx")),
        "cores": usable_cores(),
        "memory_bytes": psutil.virtual_memory().total,
        "python": platform.python_version(),
        "packages": {name: v for name in _PACKAGES if (v := _version(name))},
        "xla_flags": os.environ.get("XLA_FLAGS", ""),
        "jax_platforms": os.environ.get("JAX_PLATFORMS", ""),
        "devices": [f"{device.platform}: {device.device_kind}" for device in jax.devices()],
    }


def usable_cores() -> int:
    """Cores that this process may use: as many threads as XLA takes, and as every peer gets."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _module_name() -> str:
    spec = getattr(sys.modules["__main__"], "__spec__", None)
    return spec.name.removesuffix(".__main__") if spec else "benchmarks"


def _version(package: str) -> str | None:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None


def _digest_of(text: str | None) -> str | None:
    """A hash that tells one state of an uncommitted tree from another; None for no change."""
    return hashlib.sha256(text.encode()).hexdigest()[:16] if text else None


def _git(*arguments: str) -> str | None:
    """Output of a git command in this checkout; None outside of one."""
    folder = os.path.dirname(os.path.abspath(__file__))
    try:
        run = subprocess.run(
            ["git", *arguments], cwd=folder, capture_output=True, text=True, check=True
        )
    except (OSError, subprocess.CalledProcessError):
        return None
    return run.stdout.strip()
