"""The rows of a sweep: records, ratios and the curves of the gradient check."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated

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

__all__ = [
    "LOWER_BOUND",
    "SCHEMA_VERSION",
    "BaselineRow",
    "Curve",
    "Ratio",
    "Record",
    "Source",
    "Status",
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
    source: Source
    n_cells: CellCount
    dtype: Annotated[str, Field(strict=True, pattern=r"^b?float\d+$")]
    device: Device
    metric: MetricName
    value: Annotated[float | str | None, SkipValidation]
    samples: Sequence[Positive]
    status: Status
    detail: Text

    @property
    def loss(self) -> str:
        """The loss, or the training."""
        return self.benchmark.partition(":")[0]

    @property
    def transform(self) -> str:
        """What of the loss the program computes."""
        return self.benchmark.partition(":")[2]

    @model_validator(mode="after")
    def _value_fits_the_status(self) -> "Record":
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


# What the names of lower bounds begin with; others are peers.
LOWER_BOUND = "lower bound"


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

    @property
    def note(self) -> str:
        """``not tight`` at a lower bound that we stay below, beyond the spread of the ratios."""
        of_bound = self.other.startswith(LOWER_BOUND)
        return "not tight" if of_bound and self.ratio_high < 1 else ""


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
