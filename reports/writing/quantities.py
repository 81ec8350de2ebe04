"""Numbers as a reader sees them: three significant digits, and a unit of a fitting size."""

import math
from typing import Any

import pandas as pd

__all__ = ["error", "number", "percent", "quantity", "significant"]

_ABSENT = "-"
# A value is shown in the largest of these that it reaches, or else in its own unit.
_SCALES = {
    "s": ((1.0, "s"), (1e-3, "ms"), (1e-6, "µs"), (1e-9, "ns")),
    "bytes": ((1e9, "GB"), (1e6, "MB"), (1e3, "kB")),
    "flop": ((1e9, "Gflop"), (1e6, "Mflop"), (1e3, "kflop")),
    "operations": ((1e9, "billion operations"), (1e6, "million operations")),
    "cells/s": ((1e9, "billion cells/s"), (1e6, "million cells/s")),
}
_WITHOUT_UNIT = ("ratio", "loss")
# Whole numbers below this are counts, of which every digit is written.
_MANY = 1e5


def quantity(value: Any, unit: str) -> str:
    """A value with its unit: ``12.3 ms``, ``1.05 MB``, ``200 instructions``, ``1.2e-07``."""
    if _is_absent(value):
        return _ABSENT
    if unit == "hash":
        return value[:12] if isinstance(value, str) else f"{int(value):012x}"
    if unit == "relative":
        return error(value)
    if unit in _WITHOUT_UNIT:
        return significant(value)
    rounded = abs(float(f"{value:.3g}"))
    for factor, name in _SCALES.get(unit, ()):
        if rounded >= factor:
            return f"{significant(value / factor)} {name}"
    return f"{number(value)} {unit}"


def number(value: Any) -> str:
    """Words as they are, counts in full, and three significant digits of anything else."""
    if isinstance(value, str):
        return value
    if _is_absent(value):
        return _ABSENT
    if abs(value) < _MANY and value == int(value):
        return str(int(value))
    return significant(value)


def significant(value: float) -> str:
    """Three significant digits, with an exponent only where zeros would have to be counted."""
    if not math.isfinite(value):
        return str(value)
    rounded = float(f"{value:.3g}")
    exponent = math.floor(math.log10(abs(rounded))) if rounded else 0
    if -3 <= exponent < 6:
        return f"{rounded:.{max(0, 2 - exponent)}f}"
    return f"{rounded:.2e}"


def percent(share: float) -> str:
    """A share with at most three digits, on one line: ``5 %``, ``97.3 %``."""
    return f"{100 * share:.3g}\N{NO-BREAK SPACE}%"


def error(value: float | None, absent: str = "not measured") -> str:
    """A relative error, of which the power of ten matters."""
    return absent if value is None else f"{value:.1e}"


def _is_absent(value: Any) -> bool:
    return value is None or pd.isna(value)
