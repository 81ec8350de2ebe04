"""The rows of a sweep: records, ratios and the curves of the gradient check."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated, Any

from pydantic import Field, SkipValidation, model_validator

from benchmarks.schema.fields import (
    CellCount,
    Count,
    Device,
    Error,
    MetricName,
    Name,
    Positive,
    Program,
    Row,
    Text,
    Transform,
    why_impossible,
)
from benchmarks.schema.metrics import METRICS

__all__ = [
    "SCHEMA_VERSION",
    "BaselineRow",
    "Curve",
    "Ratio",
    "Record",
    "Source",
    "Status",
    "WrittenRecord",
]

SCHEMA_VERSION = 5


class Source(StrEnum):
    """Where the cells of a measurement come from."""

    SIMULATED = "simulated"
    REAL = "real"


class Status(StrEnum):
    """What became of a measurement."""

    OK = "ok"
    FAILED = "failed"
    SKIPPED = "skipped"


@dataclass(frozen=True)
class Record(Row):
    """One measurement."""

    benchmark: Program
    loss: Name
    transform: Transform
    source: Source
    n_cells: CellCount
    dtype: Annotated[str, Field(strict=True, pattern=r"^b?float\d+$")]
    device: Device
    metric: MetricName
    value: Annotated[float | str | None, SkipValidation]
    samples: Sequence[Positive] = ()
    status: Status = Status.OK
    detail: Text = ""

    def row(self) -> dict[str, Any]:
        """The record as it is written: with its metric's unit and direction."""
        metric = METRICS[self.metric]
        return {**super().row(), "unit": metric.unit, "better": metric.better}


@dataclass(frozen=True, kw_only=True)
class WrittenRecord(Record):
    """A record as it is written."""

    unit: Text
    better: Text

    @model_validator(mode="before")
    @classmethod
    def _is_complete(cls, given: Any) -> Any:
        """Refuse a record without a field, also one that may be left out where it is made."""
        if isinstance(given, Mapping) and (missing := set(cls.names()) - set(given)):
            raise ValueError("; ".join(f"{name}: Field required" for name in sorted(missing)))
        return given

    @model_validator(mode="after")
    def _fields_fit_each_other(self) -> "WrittenRecord":
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
        elif problem := why_impossible(self.metric, self.value):
            raise ValueError(f"value: {problem}")
        return self


@dataclass(frozen=True)
class BaselineRow(Row):
    """One measurement of a baseline, which is deterministic."""

    benchmark: Program
    source: Source
    n_cells: CellCount
    device: Device
    metric: MetricName
    value: Annotated[float | str, SkipValidation]

    @model_validator(mode="after")
    def _value_is_possible(self) -> "BaselineRow":
        if isinstance(self.value, float) and not math.isfinite(self.value):
            raise ValueError(f"value: {self.value} is not finite")
        if problem := why_impossible(self.metric, self.value):
            raise ValueError(f"value: {problem}")
        return self


@dataclass(frozen=True)
class Ratio(Row):
    """Our time over that of a lower bound or a peer, from calls in turn."""

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
    def _range_is_one(self) -> "Ratio":
        if self.ratio_low > self.ratio_high:
            raise ValueError(f"ratio_low: {self.ratio_low} is above ratio_high {self.ratio_high}")
        return self


@dataclass(frozen=True)
class Curve(Row):
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
