"""The ratios to lower bounds and peers that ``python -m benchmarks ratios --json`` writes."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd

from benchmarks.schema.environment import Environment
from benchmarks.schema.records import Ratio
from reports.sources.measurements import Complaint, Measurements, complaints_about
from reports.sources.validation import OwnModel, checked, checked_rows

__all__ = ["Ratios", "is_ratios", "ratios_frame", "read_ratios"]

_NOTED = ("loss", "other")


class _File(OwnModel):
    """The file of ratios; the rows are checked one by one."""

    environment: Environment
    ratios: list[Any]


class Ratios(NamedTuple):
    """A file, where its ratios were measured, a row per ratio, and what was wrong with others."""

    path: Path
    environment: Mapping[str, Any]
    frame: pd.DataFrame
    complaints: tuple[Complaint, ...]

    @property
    def measurements(self) -> Measurements:
        """The complaints; ratios are no rows of the table."""
        return Measurements(complaints=self.complaints)


def is_ratios(content: Any) -> bool:
    """Whether a JSON file's content looks like ratios and nothing else."""
    return isinstance(content, dict) and "ratios" in content and "schema_version" not in content


def read_ratios(path: Path, content: Any) -> Ratios:
    """The ratios of a file.

    Raises:
        DamagedError: it does not say where they were measured.
    """
    frame, problems = ratios_frame(checked(_File, content).ratios)
    return Ratios(path, content["environment"], frame, complaints_about(path, problems))


def ratios_frame(rows: Sequence[Any]) -> tuple[pd.DataFrame, list[str]]:
    """A row per ratio, with its note, and what is wrong with those that are none."""
    found, problems = checked_rows(Ratio, rows, "ratios", noted=_NOTED)
    frame = pd.DataFrame(found, columns=Ratio.names())
    return frame.assign(note=[ratio.note for ratio in found]), problems
