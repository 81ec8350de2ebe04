"""The tables of how often a comparison of times errs, as they are kept beside this file."""

from collections.abc import Iterator
from pathlib import Path

import pandas as pd

from benchmarks.schema.files import check_replaceable, csv_with, write_text
from reports.commits.errors import coverage, error_rates

__all__ = ["write_tables"]

_SIMULATIONS = {error_rates: error_rates.error_rates, coverage: coverage.coverage}


def write_tables(folder: Path) -> Iterator[tuple[Path, pd.DataFrame]]:
    """Simulate each table, write it, and yield it with its path.

    Raises:
        UnwritableError: one of the files holds something else; nothing was simulated.
    """
    paths = {module: folder / module.TABLE.name for module in _SIMULATIONS}
    for module, path in paths.items():
        check_replaceable(path, "error rates", csv_with(*module.COLUMNS))
    for module, simulate in _SIMULATIONS.items():
        table = simulate()
        write_text(paths[module], table.to_csv(index=False))
        yield paths[module], table
