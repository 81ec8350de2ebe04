"""Read whatever was measured, from any of the sources, into one table."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from reports.sources.asv import read_asv
from reports.sources.measurements import (
    DamagedError,
    Measurements,
    complaints_about,
    is_ahead,
    load_json,
)
from reports.sources.pytest_benchmark import is_pytest_benchmark, read_pytest_benchmark
from reports.sources.ratios import Ratios, is_ratios, ratios_frame, read_ratios
from reports.sources.sweep_file import ReadSweep, is_sweep, read_sweep

__all__ = ["ReadResults", "read_results"]

Read = ReadSweep | Measurements | Ratios
# Whether a JSON file's content is one of these, and what reads it.
_READERS: Mapping[Callable[[Any], bool], Callable[[Path, Any], Read]] = {
    is_sweep: read_sweep,
    is_pytest_benchmark: read_pytest_benchmark,
    is_ratios: read_ratios,
}


@dataclass(frozen=True)
class ReadResults:
    """What was read.

    Attributes:
        measurements: everything, in one table.
        newest: the newest sweep, if there is one.
        beside: the files of ratios that were read beside sweeps.
        ratios: losses against their lower bounds, and against peers that were measured.
    """

    measurements: Measurements
    newest: ReadSweep | None
    beside: tuple[Ratios, ...]
    ratios: pd.DataFrame


def read_results(paths: Sequence[Path]) -> ReadResults:
    """Read files and folders of asv, with a complaint for everything that cannot be used."""
    found = [_read(path) for path in paths]
    sweeps = [one for one in found if isinstance(one, ReadSweep)]
    newest = max(sweeps, key=_age, default=None)
    measurements = Measurements.joined(
        one if isinstance(one, Measurements) else one.measurements for one in found
    )
    beside = tuple(one for one in found if isinstance(one, Ratios))
    frames = [*(one.frame for one in beside), *([newest.ratios] if newest else [])]
    ratios = [frame for frame in frames if not frame.empty]
    all_ratios = pd.concat(ratios, ignore_index=True) if ratios else ratios_frame([])[0]
    return ReadResults(measurements, newest, beside, all_ratios)


def _age(sweep: ReadSweep) -> tuple[bool, str]:
    """The date, after those that are still to come: these would be the newest for ever."""
    date = sweep.environment["date"]
    return not is_ahead(date), date


def _read(path: Path) -> Read:
    """The content of a file or of asv's folder; a complaint alone if it cannot be used."""
    try:
        return read_asv(path) if path.is_dir() else _read_file(path)
    except DamagedError as error:
        return Measurements(complaints=complaints_about(path, [str(error)]))


def _read_file(path: Path) -> Read:
    content = load_json(path)
    for is_one, read in _READERS.items():
        if is_one(content):
            return read(path, content)
    raise DamagedError(
        "neither a sweep's or its ratios', nor asv's, nor pytest-benchmark's results"
    )
