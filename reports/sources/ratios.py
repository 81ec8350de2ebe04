"""The ratios to lower bounds and peers that ``python -m benchmarks ratios --json`` writes."""

from collections.abc import Mapping
from typing import Any

import pandas as pd

from benchmarks.schema.records import Ratio
from reports.sources.frame import DamagedError

__all__ = ["is_ratios", "read_ratios"]


def is_ratios(content: Any) -> bool:
    """Whether a JSON file's content looks like a list of ratios."""
    return isinstance(content, dict) and set(content) == {"environment", "ratios"}


def read_ratios(content: Mapping[str, Any]) -> pd.DataFrame:
    """A row per ratio, none for nothing.

    Raises:
        DamagedError: a row lacks one of the columns.
    """
    rows = content.get("ratios", [])
    try:
        return pd.DataFrame([Ratio(**row) for row in rows], columns=list(Ratio._fields))
    except TypeError as error:
        raise DamagedError(f"not a list of ratios ({error})") from error
