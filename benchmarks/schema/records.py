"""The rows that measuring produces: records and ratios."""

from collections.abc import Sequence
from enum import StrEnum
from typing import Any, NamedTuple

from benchmarks.schema.metrics import METRICS

__all__ = ["JAX_SETTINGS", "SCHEMA_VERSION", "Ratio", "Record", "Source", "Status"]

SCHEMA_VERSION = 5
# Settings of jax that change what is compiled, or the arithmetic of what is called.
JAX_SETTINGS = (
    "jax_enable_x64",
    "jax_default_matmul_precision",
    "jax_disable_jit",
    "jax_disable_most_optimizations",
)


class Source(StrEnum):
    """Where the cells of a measurement come from."""

    SIMULATED = "simulated"
    REAL = "real"


class Status(StrEnum):
    """What became of a measurement."""

    OK = "ok"
    FAILED = "failed"
    SKIPPED = "skipped"


class Record(NamedTuple):
    """One measurement: a row of the tidy frame that the reports read."""

    benchmark: str
    loss: str
    transform: str
    source: Source
    n_cells: int
    dtype: str
    device: str
    metric: str
    value: float | str | None
    samples: Sequence[float] = ()
    status: Status = Status.OK
    detail: str = ""

    def row(self) -> dict[str, Any]:
        """The record with its metric's unit and direction."""
        metric = METRICS[self.metric]
        return {**self._asdict(), "unit": metric.unit, "better": metric.better}


class Ratio(NamedTuple):
    """Our time over that of a lower bound or a peer, from calls in turn."""

    loss: str
    transform: str
    n_cells: int
    other: str
    ours_seconds: float
    other_seconds: float
    ratio: float
    ratio_low: float
    ratio_high: float
    temp_bytes: int
    input_bytes: int
    n_rounds: int
