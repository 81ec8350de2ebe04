"""In what way a measurement of a published report is expected to agree when it is repeated.

That depends on what is the same then and now. Times are not expected to agree: they inform.
"""

from enum import StrEnum
from typing import NamedTuple

from benchmarks.schema.metrics import METRICS, Kind
from reports.rules.verdicts import WALL_CLOCK

__all__ = [
    "Differences",
    "Expectation",
    "Expected",
    "expectation_of_data",
    "expectation_of_measurement",
]


class Expectation(StrEnum):
    """In what way a measurement must agree with the published one."""

    BITS = "identical bits"
    TOLERANCE = "within tolerance"
    COUNTER = "equal counter"
    NONE = "not expected"


class Expected(NamedTuple):
    """What is expected, and where nothing is, the reason."""

    expectation: Expectation
    reason: str = ""


class Differences(NamedTuple):
    """What differs between two measurements of the same: phrases, empty where nothing does.

    Attributes:
        settings: those of jax that change programs or their arithmetic.
        cells: the cells, by their digest.
        code: library, references and benchmarks.
        versions: jax, jaxlib, the backend and ``XLA_FLAGS``.
        instruction_set: architecture, vector extensions and devices.
        cores: the number of cores, over which XLA divides loops and sums.
        numpy: the version of NumPy, which simulates the cells.
    """

    settings: str = ""
    cells: str = ""
    code: str = ""
    versions: str = ""
    instruction_set: str = ""
    cores: str = ""
    numpy: str = ""


# What must be the same for a measurement to be expected to agree.
_FOR_ERRORS = ("settings",)
_FOR_VALUES = ("settings", "cells")
_FOR_COUNTERS = ("settings", "code", "versions")
_FOR_FINGERPRINT = (*_FOR_COUNTERS, "cores")
_FOR_BITS = ("settings", "cells", "code", "versions", "instruction_set", "cores")
_FOR_DATA = ("code", "numpy", "instruction_set", "cores")


def expectation_of_measurement(metric: str, differences: Differences) -> Expected:
    """What is expected of a measurement.

    Errors stay within their tolerances, by the same settings of jax: the losses agree
    with their references everywhere. A value agrees for the same cells, within the
    tolerance of ``value_error``, or in bits where all is the same that they depend on. Counters
    do not depend on the cells, only on their number.

    Args:
        metric: one of ``METRICS``.
        differences: what differs between then and now.
    """
    kind = METRICS[metric].kind
    if kind in WALL_CLOCK:
        return Expected(Expectation.NONE, "times and peaks inform")
    if kind == Kind.ACCURACY:
        return _expected(Expectation.TOLERANCE, differences, _FOR_ERRORS)
    if metric == "hlo_fingerprint":
        return _expected(Expectation.COUNTER, differences, _FOR_FINGERPRINT)
    if kind != Kind.RESULT:
        return _expected(Expectation.COUNTER, differences, _FOR_COUNTERS)
    bits = _expected(Expectation.BITS, differences, _FOR_BITS)
    if metric == "value" and bits.expectation == Expectation.NONE:
        return _expected(Expectation.TOLERANCE, differences, _FOR_VALUES)
    return bits


def expectation_of_data(differences: Differences) -> Expected:
    """What is expected of the digest of a data set: simulations depend on BLAS and its kernels."""
    return _expected(Expectation.BITS, differences, _FOR_DATA)


def _expected(
    expectation: Expectation, differences: Differences, needed: tuple[str, ...]
) -> Expected:
    """The expectation if all that it needs is the same, or else what differs first."""
    reasons = [getattr(differences, name) for name in needed]
    first = next(filter(None, reasons), "")
    return Expected(Expectation.NONE, first) if first else Expected(expectation)
