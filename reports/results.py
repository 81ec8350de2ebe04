"""Read what was measured into one tidy frame, a row per measurement."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from benchmarks.records import SCHEMA_VERSION, Ratio

__all__ = ["Results", "UnreadableResultsError", "read_sweep"]

_COLUMNS = (
    "benchmark",
    "loss",
    "transform",
    "cells",
    "n_cells",
    "dtype",
    "device",
    "metric",
    "unit",
    "better",
    "value",
    "samples",
    "status",
    "detail",
)


class UnreadableResultsError(ValueError):
    """A results file is damaged, empty or of another version; the message names it."""


@dataclass(frozen=True)
class Results:
    """The measurements of one sweep.

    Attributes:
        frame: one row per measurement, with the columns above.
        environment: the machine, software and commit they come from.
        data_digests: digest of every data set that was used, by name.
        v_curves: error of the finite differences over the step, per loss.
        ratios: each loss against its physical limit, called in turn.
    """

    frame: pd.DataFrame
    environment: dict[str, Any]
    data_digests: dict[str, str]
    v_curves: list[dict[str, Any]]
    ratios: pd.DataFrame

    def numbers(self, metric: str) -> pd.DataFrame:
        """The rows of a numeric metric that were measured, with float values."""
        rows = self.frame[(self.frame["metric"] == metric) & (self.frame["status"] == "ok")]
        rows = rows[rows["value"].notna()]
        return rows.assign(value=rows["value"].astype(float))


def read_sweep(path: Path) -> Results:
    """Read the JSON file of a sweep.

    Raises:
        UnreadableResultsError: not a complete sweep file of this version.
    """
    try:
        content = json.loads(path.read_text())
        version = content["schema_version"]
        if version != SCHEMA_VERSION:
            raise UnreadableResultsError(
                f"{path}: schema version {version}, this program reads {SCHEMA_VERSION}"
            )
        frame = pd.DataFrame(content["records"], columns=list(_COLUMNS))
        parts = (content["environment"], content["data_digests"], content["v_curves"])
        ratios = pd.DataFrame(content["ratios"], columns=list(Ratio._fields))
    except OSError as error:
        raise UnreadableResultsError(f"{path}: {error.strerror}") from error
    except UnreadableResultsError:
        raise
    except (ValueError, KeyError, TypeError) as error:
        raise UnreadableResultsError(f"{path}: not a sweep file ({error!r})") from error
    if frame.empty:
        raise UnreadableResultsError(f"{path}: nothing was measured")
    return Results(frame, *parts, ratios)
