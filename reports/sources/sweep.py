"""The file of a sweep: its records, and all that the page of one sweep is made of."""

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from benchmarks.schema.metrics import METRICS
from benchmarks.schema.records import SCHEMA_VERSION, Record
from reports.sources.frame import Complaint, DamagedError, Measurements, load_json, row, tidy
from reports.sources.ratios import read_ratios

__all__ = ["Sweep", "is_sweep", "read_sweep"]


_PUBLISHED_VERSION = 3


@dataclass(frozen=True)
class Sweep:
    """The measurements of one sweep.

    Attributes:
        path: where it was read.
        frame: one row per measurement.
        complaints: what stands in the file and cannot be used.
        environment: the machine, software and commit they come from.
        data_digests: digest of every data set that was used, by name.
        v_curves: error of the finite differences over the step, per loss.
        ratios: each loss against its lower bound, called in turn.
        claims: what the document says of the losses, and what was measured about it.
    """

    path: Path
    frame: pd.DataFrame
    complaints: tuple[Complaint, ...]
    environment: dict[str, Any]
    data_digests: dict[str, str]
    v_curves: list[dict[str, Any]]
    ratios: pd.DataFrame
    claims: list[dict[str, Any]]

    def numbers(self, metric: str) -> pd.DataFrame:
        """The rows of a numeric metric that were measured, with float values."""
        rows = self.frame[(self.frame["metric"] == metric) & (self.frame["status"] == "ok")]
        rows = rows[rows["value"].notna()]
        return rows.assign(value=rows["value"].astype(float))

    @property
    def measurements(self) -> Measurements:
        """The rows, for the history."""
        return Measurements(self.frame, self.complaints)


def is_sweep(content: Any) -> bool:
    """Whether a JSON file's content looks like a sweep's, of whatever version."""
    return isinstance(content, dict) and "schema_version" in content


def read_sweep(path: Path, content: Any = None) -> Sweep:
    """Read the JSON file of a sweep, or what was loaded from it.

    Raises:
        DamagedError: not a complete sweep of this version, or it measured nothing.
    """
    content = load_json(path) if content is None else content
    if not is_sweep(content):
        raise DamagedError("not a sweep's results")
    if content["schema_version"] == _PUBLISHED_VERSION:
        content = _renamed(content)
    if content["schema_version"] != SCHEMA_VERSION:
        version = content["schema_version"]
        raise DamagedError(f"schema version {version}, this program reads {SCHEMA_VERSION}")
    try:
        environment = content["environment"]
        rows, problems = _rows(content["records"], _origin(environment, path))
        rest = (environment, content["data_digests"], content["v_curves"])
        ratios = read_ratios(content)
        claims = list(content["claims"])
        if left := len(content["unfinished"]):
            n_steps = len(content["steps"])
            problems.append(f"interrupted: {left} of {n_steps} steps were not measured")
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise DamagedError(f"not a complete sweep ({error!r})") from error
    if not rows:
        raise DamagedError("nothing was measured")
    complaints = tuple(Complaint(str(path), problem) for problem in problems)
    return Sweep(path, tidy(rows), complaints, *rest, ratios, claims)


def _renamed(content: dict[str, Any]) -> dict[str, Any]:
    """A sweep of the version before, which differs in names alone: published ones have it."""

    def of_record(record: dict[str, Any]) -> dict[str, Any]:
        rest = {name: value for name, value in record.items() if name != "cells"}
        metric = record["metric"].replace("limit_", "lower_bound_")
        return {**rest, "source": record["cells"], "metric": metric}

    def of_ratio(ratio: dict[str, Any]) -> dict[str, Any]:
        return {**ratio, "other": ratio["other"].replace("limit: ", "lower bound: ")}

    return {
        **content,
        "schema_version": SCHEMA_VERSION,
        "records": [of_record(record) for record in content["records"]],
        "ratios": [of_ratio(ratio) for ratio in content["ratios"]],
    }


def _origin(environment: dict[str, Any], path: Path) -> dict[str, Any]:
    packages = environment.get("packages", {})
    return {
        "commit": environment.get("commit"),
        "date": environment.get("date"),
        "machine": environment.get("machine"),
        "environment": f"python {environment.get('python')}, jaxlib {packages.get('jaxlib')}",
        "file": str(path),
    }


def _rows(records: Any, origin: dict[str, Any]) -> tuple[list[dict[str, Any]], list[str]]:
    rows: list[dict[str, Any]] = []
    problems: list[str] = []
    for record in records:
        name = f"{record['metric']} of {record['benchmark']} at {record['n_cells']} cells"
        if record["metric"] not in METRICS:
            problems.append(f"{name}: an unknown metric")
            continue
        found = {field: record[field] for field in Record._fields}
        benchmark, metric, value = (found.pop(f) for f in ("benchmark", "metric", "value"))
        rows.append(row(benchmark, metric, value, origin, **found))
        if isinstance(value, float) and not math.isfinite(value):
            problems.append(f"{name}: the value is {value}")
    return rows, problems
