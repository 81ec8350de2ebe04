"""The fields of the files that this project writes, as their readers demand them.

A field that is added to what is written is added here; a test holds the two together.
"""

import math
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, model_validator

from benchmarks.schema.metrics import METRICS
from benchmarks.schema.records import Source, Status
from reports.sources.validation import (
    CellCount,
    Commit,
    Count,
    Date,
    Device,
    Error,
    MetricName,
    Name,
    Ours,
    Positive,
    Program,
    Text,
    Transform,
    known,
    misfit,
)

__all__ = [
    "SWEEP",
    "SWEEP_SCOPE",
    "BaselineFile",
    "BaselineRow",
    "Curve",
    "Digest",
    "Environment",
    "ManifestFile",
    "Packages",
    "RatioRow",
    "RatiosFile",
    "RecordRow",
    "SweepEnvironment",
    "SweepFile",
    "Version",
]


def _has_jax(packages: dict[str, str]) -> dict[str, str]:
    if missing := {"jax", "jaxlib"} - set(packages):
        raise ValueError(f"says nothing of {', '.join(sorted(missing))}")
    return packages


# Versions, backends and files' names become parts of paths: none leads out of its folder.
Version = Annotated[str, Field(pattern=r"^[\w.+!-]{1,100}$")]
Packages = Annotated[dict[Name, Version], AfterValidator(_has_jax)]
_DeviceKind = Annotated[str, Field(pattern=r"^\w+: .+$")]
# The compressed sweep of a published report.
SWEEP = "sweep.json.gz"
_FileName = Annotated[str, Field(pattern=r"^\w[\w.-]*$")]
Digest = Annotated[str, Field(pattern=r"^[0-9a-f]+$")]


class Environment(Ours):
    """What ``benchmarks.measure.environment`` says of machine, software and commit.

    Fields with a default are absent in some sweeps that were published.
    """

    date: Date
    command: Name
    commit: Commit | None
    dirty: bool
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
    jax_enable_x64: bool = False
    jax_default_matmul_precision: Text | None = None
    jax_disable_jit: bool = False
    jax_disable_most_optimizations: bool = False
    blas: list[Text] = Field(default=[])
    devices: Annotated[list[_DeviceKind], Field(min_length=1)]


class SweepEnvironment(Environment):
    """The environment of a sweep, and what the sweep was asked to measure.

    Sweeps that were published earlier do not say what they were asked.
    """

    tier: Name | None = None
    losses: list[Name] = Field(default=[])
    n_cells: list[CellCount] = Field(default=[])


# What a sweep was asked to measure.
SWEEP_SCOPE = tuple(
    name for name in SweepEnvironment.model_fields if name not in Environment.model_fields
)


class RecordRow(Ours):
    """A ``Record`` with its metric's unit and direction."""

    benchmark: Program
    loss: Name
    transform: Transform
    source: Annotated[str, known(Source)]
    n_cells: CellCount
    dtype: Annotated[str, Field(pattern=r"^b?float\d+$")]
    device: Device
    metric: MetricName
    value: Any
    samples: list[Positive]
    status: Annotated[str, known(Status)]
    detail: Text
    unit: Text
    better: Text

    @model_validator(mode="after")
    def _fields_fit_each_other(self) -> "RecordRow":
        if self.benchmark != f"{self.loss}:{self.transform}":
            raise ValueError(
                f"benchmark, loss, transform: {self.benchmark!r} is not of "
                f"{self.loss!r} and {self.transform!r}"
            )
        metric = METRICS[self.metric]
        if (self.unit, self.better) != (metric.unit, metric.better):
            raise ValueError(
                f"unit, better: {self.metric} has {metric.unit}, {metric.better}, "
                f"not {self.unit}, {self.better}"
            )
        if self.status != Status.OK:
            if self.value is not None:
                raise ValueError(f"value: it is there, and the status is {self.status}")
        elif problem := misfit(self.metric, self.value):
            raise ValueError(f"value: {problem}")
        return self


class RatioRow(Ours):
    """A ``Ratio``."""

    loss: Name
    transform: Transform
    n_cells: CellCount
    other: Name
    ours_seconds: Positive
    other_seconds: Positive
    ratio: Positive
    ratio_low: Positive
    ratio_high: Positive
    temp_bytes: Count
    input_bytes: Count
    n_rounds: Annotated[Count, Field(ge=1)]

    @model_validator(mode="after")
    def _range_is_one(self) -> "RatioRow":
        if self.ratio_low > self.ratio_high:
            raise ValueError(f"ratio_low: {self.ratio_low} is above ratio_high {self.ratio_high}")
        return self


class Curve(Ours):
    """Errors of a loss's finite differences over their step."""

    loss: Name
    n_cells: CellCount
    steps: Annotated[list[Positive], Field(min_length=1)]
    errors: Annotated[list[Error], Field(min_length=1)]
    plateau: Error | None = None

    @model_validator(mode="after")
    def _an_error_per_step(self) -> "Curve":
        if len(self.errors) != len(self.steps):
            raise ValueError(f"errors: {len(self.errors)} of {len(self.steps)} steps")
        return self


class SweepFile(Ours):
    """A sweep; the rows of its lists are checked one by one."""

    schema_version: int
    environment: SweepEnvironment
    steps: list[Name]
    unfinished: list[Name]
    data_digests: dict[Name, Digest]
    records: list[Any]
    v_curves: list[Any]
    ratios: list[Any]

    @model_validator(mode="after")
    def _unfinished_are_steps(self) -> "SweepFile":
        if foreign := set(self.unfinished) - set(self.steps):
            raise ValueError(f"unfinished: {sorted(foreign)[0]!r} is none of the steps")
        return self


class RatiosFile(Ours):
    """What ``python -m benchmarks ratios --json`` writes."""

    environment: Environment
    ratios: list[Any]


class ManifestFile(Ours):
    """What a published report says of itself."""

    schema_version: Literal[1]
    headline: Name
    command: Name
    n_cells: list[CellCount]
    seed: Count
    environment: SweepEnvironment
    data_digests: dict[Name, Digest]
    results: dict[_FileName, Digest]

    @model_validator(mode="after")
    def _holds_a_sweep(self) -> "ManifestFile":
        if SWEEP not in self.results:
            raise ValueError(f"results: there is no {SWEEP} among them")
        return self


class BaselineFile(Ours):
    """The deterministic figures that gate; the rows are checked one by one."""

    schema_version: Literal[2]
    key: dict[Name, Text | bool | None]
    tier: Name
    losses: list[Name]
    n_cells: list[CellCount]
    cores: Annotated[Count, Field(ge=1)]
    commit: Commit | None
    rows: Annotated[list[list[Any]], Field(min_length=1)]


class BaselineRow(Ours):
    """One figure of a baseline."""

    benchmark: Program
    source: Annotated[str, known(Source)]
    n_cells: CellCount
    device: Device
    metric: MetricName
    value: Any

    @model_validator(mode="after")
    def _value_fits(self) -> "BaselineRow":
        if isinstance(self.value, float) and not math.isfinite(self.value):
            raise ValueError(f"value: {self.value} is not finite")
        if problem := misfit(self.metric, self.value):
            raise ValueError(f"value: {problem}")
        return self
