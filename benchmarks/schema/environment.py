"""The machine, the software and the commit that a measurement comes from."""

from dataclasses import dataclass, field
from typing import Annotated

from pydantic import AfterValidator, Field

from benchmarks.schema.fields import CellCount, Commit, Count, Date, Flag, Name, Row, Text

__all__ = [
    "JAX_SETTINGS",
    "SWEEP_SCOPE",
    "Environment",
    "Packages",
    "SweepEnvironment",
    "Version",
]

# Settings of jax that change what is compiled, or the arithmetic of what is called.
JAX_SETTINGS = (
    "jax_enable_x64",
    "jax_default_matmul_precision",
    "jax_disable_jit",
    "jax_disable_most_optimizations",
)


def _has_jax(packages: dict[str, str]) -> dict[str, str]:
    if missing := {"jax", "jaxlib"} - set(packages):
        raise ValueError(f"says nothing of {', '.join(sorted(missing))}")
    return packages


# Versions and backends become parts of paths: none leads out of its folder.
Version = Annotated[str, Field(strict=True, pattern=r"^[\w.+!-]{1,100}$")]
Packages = Annotated[dict[Name, Version], AfterValidator(_has_jax)]
_DeviceKind = Annotated[str, Field(strict=True, pattern=r"^\w+: .+$")]


@dataclass(frozen=True, kw_only=True)
class Environment(Row):
    """The machine, the software and the commit of a measurement.

    Fields with a default are absent in some sweeps that were published.
    """

    date: Date
    command: Name
    commit: Commit | None
    dirty: Flag
    changes: Text | None = None
    machine: Name
    os: Name
    cpu: Name
    architecture: Text
    vector_extensions: list[Name]
    cores: Annotated[Count, Field(ge=1)]
    memory_bytes: Annotated[Count, Field(ge=1)]
    python: Name
    packages: Packages
    xla_flags: Text
    jax_platforms: Text = ""
    jax_enable_x64: Flag = False
    jax_default_matmul_precision: Text | None = None
    jax_disable_jit: Flag = False
    jax_disable_most_optimizations: Flag = False
    blas: list[Text] = field(default_factory=list)
    devices: Annotated[list[_DeviceKind], Field(min_length=1)]


@dataclass(frozen=True, kw_only=True)
class SweepEnvironment(Environment):
    """The environment of a sweep, and what the sweep was asked to measure.

    Sweeps that were published earlier do not say what they were asked.
    """

    tier: Name | None = None
    losses: list[Name] = field(default_factory=list)
    n_cells: list[CellCount] = field(default_factory=list)


# What a sweep was asked to measure.
SWEEP_SCOPE = ("tier", "losses", "n_cells")
