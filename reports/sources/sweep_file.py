"""The file of a sweep: its records, and all that the page of one sweep is made of."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import pandas as pd
from pydantic import model_validator

from benchmarks.schema.environment import JAX_SETTINGS, SweepEnvironment
from benchmarks.schema.fields import Digest, Name
from benchmarks.schema.records import SCHEMA_VERSION, Curve, Record, Source, Status
from reports.sources.measurements import (
    Complaint,
    DamagedError,
    Measurements,
    as_frame,
    commit_measured,
    complaints_about,
    is_ahead,
    load_json,
    measurement,
    naming_damaged,
)
from reports.sources.ratios import ratios_frame
from reports.sources.validation import OwnModel, checked, checked_rows

__all__ = ["ReadSweep", "is_sweep", "read_complete_sweep", "read_sweep"]

# In sweeps that were published earlier: what a cost model said beside the measurements, and
# fields of a record that follow from the others.
_MODELLED = ("modelled_temp_bytes", "modelled_communicated_bytes")
_DERIVED = ("loss", "transform", "unit", "better")
_NOTED = ("metric", "benchmark", "n_cells")
# The fields of a record that stand in a measurement as they are.
_READ = ("source", "n_cells", "dtype", "device", "value", "status", "detail")


class _File(OwnModel):
    """The file of a sweep; the rows of its lists are checked one by one."""

    schema_version: Literal[SCHEMA_VERSION]  # type: ignore[valid-type]
    environment: SweepEnvironment
    steps: list[Name]
    unfinished: list[Name]
    data_digests: dict[Name, Digest]
    records: list[Any]
    v_curves: list[Any]
    ratios: list[Any]

    @model_validator(mode="after")
    def _unfinished_are_steps(self) -> "_File":
        if foreign := set(self.unfinished) - set(self.steps):
            raise ValueError(f"unfinished: {sorted(foreign)[0]!r} is none of the steps")
        return self


@dataclass(frozen=True)
class ReadSweep:
    """The measurements of one sweep.

    Attributes:
        path: where it was read.
        frame: one row per measurement.
        complaints: the parts of the file that cannot be used.
        environment: the machine, software and commit they come from.
        data_digests: digest of every data set that was used, by name.
        v_curves: error of the finite differences over the step, per loss.
        ratios: each loss against its lower bound, called in turn.
    """

    path: Path
    frame: pd.DataFrame
    complaints: tuple[Complaint, ...]
    environment: dict[str, Any]
    data_digests: dict[str, str]
    v_curves: list[dict[str, Any]]
    ratios: pd.DataFrame

    def numbers(self, metric: str) -> pd.DataFrame:
        """The rows of a numeric metric that were measured, with float values."""
        rows = self.frame[(self.frame["metric"] == metric) & (self.frame["status"] == Status.OK)]
        rows = rows[rows["value"].notna()]
        return rows.assign(value=rows["value"].astype(float))

    @property
    def commit(self) -> str | None:
        """The commit whose measurements these are; None where there were uncommitted changes."""
        return commit_measured(self.environment["commit"], dirty=self.environment["dirty"])

    @property
    def compiled_with(self) -> dict[str, Any]:
        """What the compiled programs depend on, besides the code.

        Experiments show that on a CPU no counter depends on the instruction set
        (``--xla_cpu_max_isa``). Only the fingerprint depends on the number of cores, over which
        XLA partitions its loops.
        """
        packages = self.environment["packages"]
        return {
            "backend": self.environment["devices"][0].split(":")[0],
            "jax": packages["jax"],
            "jaxlib": packages["jaxlib"],
            "xla_flags": self.environment["xla_flags"],
            **{name: self.environment[name] for name in JAX_SETTINGS},
        }

    @property
    def timed_sizes(self) -> list[int]:
        """The numbers of simulated cells at which calls were timed."""
        rows = self.frame[self.frame["source"] == Source.SIMULATED]
        return sorted({int(n) for n in rows[rows["metric"] == "call_seconds"]["n_cells"]})

    @property
    def measurements(self) -> Measurements:
        """The rows and the complaints."""
        return Measurements(self.frame, self.complaints)


def is_sweep(content: Any) -> bool:
    """Whether a JSON file's content looks like a sweep's, of whatever version."""
    return isinstance(content, dict) and not {"schema_version", "records"}.isdisjoint(content)


def read_sweep(path: Path, content: Any = None) -> ReadSweep:
    """Read the JSON file of a sweep, or what was loaded from it.

    Raises:
        DamagedError: not a complete sweep of this version, or it measured nothing.
    """
    content = load_json(path) if content is None else content
    try:
        file = checked(_File, content)
    except DamagedError as error:
        raise DamagedError(f"not a complete sweep ({error})") from error
    environment = file.environment.row()
    rows, problems = _rows(file.records, _origin(environment, path))
    v_curves, wrong_curves = checked_rows(Curve, file.v_curves, "v_curves", noted=["loss"])
    ratios, wrong_ratios = ratios_frame(file.ratios)
    problems += [*wrong_curves, *wrong_ratios]
    if is_ahead(environment["date"]):
        problems.append(f"environment.date is {environment['date']}, which is still to come")
    if left := len(file.unfinished):
        problems.append(f"interrupted: {left} of {len(file.steps)} steps were not measured")
    if not rows:
        raise DamagedError("; ".join(["records: nothing was measured", *problems]))
    measurements = Measurements(as_frame(rows), complaints_about(path, problems)).once()
    return ReadSweep(
        path,
        measurements.frame,
        measurements.complaints,
        environment,
        file.data_digests,
        [curve.row() for curve in v_curves],
        ratios,
    )


def read_complete_sweep(path: Path, content: Any = None) -> ReadSweep:
    """Read a sweep, or what was loaded of it, of which nothing is missing or wrong.

    Raises:
        DamagedError: there is none; the file is named.
    """
    with naming_damaged(path):
        sweep = read_sweep(path, content)
    if sweep.complaints:
        raise DamagedError(str(sweep.complaints[0]))
    return sweep


def _origin(environment: dict[str, Any], path: Path) -> dict[str, Any]:
    jaxlib = environment["packages"]["jaxlib"]
    return {
        "commit": commit_measured(environment["commit"], dirty=environment["dirty"]),
        "date": environment["date"],
        "machine": environment["machine"],
        "environment": f"python {environment['python']}, jaxlib {jaxlib}",
        "file": str(path),
    }


def _rows(records: Sequence[Any], origin: dict[str, Any]) -> tuple[list[dict[str, Any]], list[str]]:
    """The measurements, and what is wrong with records that are none or have no finite value."""
    found, problems = checked_rows(Record, list(_current(records)), "records", noted=_NOTED)
    rows = []
    for record in found:
        more = {name: getattr(record, name) for name in _READ}
        rows.append(measurement(record.benchmark, record.metric, origin, **more))
        if isinstance(record.value, float) and not math.isfinite(record.value):
            name = f"{record.metric} of {record.benchmark} at {record.n_cells} cells"
            problems.append(f"{name}: the value is {record.value}")
    return rows, problems


def _current(records: Sequence[Any]) -> Iterator[Any]:
    """The records as they are written now."""
    for record in records:
        if not isinstance(record, dict):
            yield record
        elif record.get("metric") not in _MODELLED:
            yield {name: held for name, held in record.items() if name not in _DERIVED}
