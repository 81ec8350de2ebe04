"""Read whatever was measured, from any of the sources, into one tidy frame."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from reports.sources.asv import is_results_folder, read_asv
from reports.sources.frame import Complaint, DamagedError, Measurements, load_json, tidy
from reports.sources.pytest_benchmark import is_pytest_benchmark, read_pytest_benchmark
from reports.sources.ratios import is_ratios, read_ratios
from reports.sources.sweep import Sweep, is_sweep, read_sweep

__all__ = ["Results", "read_results"]


@dataclass(frozen=True)
class Results:
    """What was read.

    Attributes:
        measurements: everything, in one frame.
        newest: the newest sweep, if there is one.
        ratios: its losses against their lower bounds, and against peers where those were measured.
    """

    measurements: Measurements
    newest: Sweep | None
    ratios: pd.DataFrame


def read_results(paths: Sequence[Path]) -> Results:
    """Read files and folders; what cannot be used is a complaint and the rest is read."""
    sweeps: list[Sweep] = []
    ratios: list[pd.DataFrame] = []
    parts: list[Measurements] = []
    for path in _files(paths):
        try:
            found = _read(path)
        except DamagedError as error:
            found = Measurements(tidy([]), (Complaint(str(path), str(error)),))
        if isinstance(found, Sweep):
            sweeps.append(found)
            found = found.measurements
        elif isinstance(found, pd.DataFrame):
            ratios.append(found)
            continue
        parts.append(found)
    newest = max(sweeps, key=lambda sweep: str(sweep.environment.get("date")), default=None)
    if newest is not None:
        ratios.append(newest.ratios)
    found = [frame for frame in ratios if not frame.empty]
    all_ratios = pd.concat(found, ignore_index=True) if found else read_ratios({})
    return Results(Measurements.joined(parts), newest, all_ratios)


def _files(paths: Sequence[Path]) -> list[Path]:
    """The files in folders, and asv's folders as they are."""
    found: list[Path] = []
    for path in paths:
        if path.is_dir() and not is_results_folder(path):
            found += sorted(path.glob("*.json")) or [path]
        else:
            found.append(path)
    return found


def _read(path: Path) -> Sweep | Measurements | pd.DataFrame:
    if path.is_dir():
        if not is_results_folder(path):
            raise DamagedError("the folder holds no results")
        return read_asv(path)
    content = load_json(path)
    if is_sweep(content):
        return read_sweep(path, content)
    if is_pytest_benchmark(content):
        return read_pytest_benchmark(path, content)
    if is_ratios(content):
        return read_ratios(content)
    raise DamagedError(
        "neither a sweep's or its ratios', nor asv's, nor pytest-benchmark's results"
    )
