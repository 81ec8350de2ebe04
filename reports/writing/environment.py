"""The machine, the software and the commit of a measurement, as rows of a table."""

from collections.abc import Mapping
from typing import Any

__all__ = ["environment_rows"]


def environment_rows(environment: Mapping[str, Any]) -> dict[str, str]:
    """The environment in words."""
    packages = ", ".join(f"{name} {v}" for name, v in environment["packages"].items())
    tree = "with uncommitted changes" if environment["dirty"] else "clean"
    return {
        "Date": environment["date"],
        "CPU": f"{environment['cpu']}, {environment['cores']} cores, {environment['architecture']}",
        "Vector extensions": ", ".join(environment["vector_extensions"]) or "none found",
        "Memory": f"{environment['memory_bytes'] / 2**30:.0f} GiB",
        "Devices": ", ".join(environment["devices"]),
        "System": f"{environment['os']}, Python {environment['python']}",
        "Packages": packages,
        "XLA_FLAGS": environment["xla_flags"] or "not set",
        "Commit": f"{environment['commit'] or 'unknown'} ({tree})",
    }
