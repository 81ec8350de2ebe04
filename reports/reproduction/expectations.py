"""What a published figure promises to whoever measures it again.

A promise depends on what is the same then and now. Times are never promised: they inform.
"""

from enum import StrEnum
from typing import NamedTuple

from benchmarks.schema.metrics import METRICS, Kind
from reports.rules.verdicts import WALL_CLOCK

__all__ = ["Differences", "Promise", "Promised", "promise_of_data", "promise_of_figure"]


class Promise(StrEnum):
    """In what way a figure that is measured again must agree with the published one."""

    BITS = "identical bits"
    TOLERANCE = "within tolerance"
    COUNTER = "equal counter"
    NONE = "not promised"


class Promised(NamedTuple):
    """A promise, and where there is none, the reason."""

    promise: Promise
    reason: str = ""


class Differences(NamedTuple):
    """What differs between two measurements of a figure: phrases, empty where nothing does.

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


# What must be the same for a promise.
_FOR_ERRORS = ("settings",)
_FOR_VALUES = ("settings", "cells")
_FOR_COUNTERS = ("settings", "code", "versions")
_FOR_FINGERPRINT = (*_FOR_COUNTERS, "cores")
_FOR_BITS = ("settings", "cells", "code", "versions", "instruction_set", "cores")
_FOR_DATA = ("code", "numpy", "instruction_set", "cores")


def promise_of_figure(metric: str, differences: Differences) -> Promised:
    """What a figure promises.

    Errors are promised within their tolerances, by the same settings of jax: the losses agree
    with their references everywhere. A value is promised for the same cells, within the
    tolerance of ``value_error``, or in bits where all is the same that they depend on. Counters
    do not depend on the cells, only on their number.

    Args:
        metric: one of ``METRICS``.
        differences: what differs between then and now.
    """
    kind = METRICS[metric].kind
    if kind in WALL_CLOCK:
        return Promised(Promise.NONE, "times and peaks inform")
    if kind == Kind.ACCURACY:
        return _promised(Promise.TOLERANCE, differences, _FOR_ERRORS)
    if metric == "hlo_fingerprint":
        return _promised(Promise.COUNTER, differences, _FOR_FINGERPRINT)
    if kind != Kind.RESULT:
        return _promised(Promise.COUNTER, differences, _FOR_COUNTERS)
    bits = _promised(Promise.BITS, differences, _FOR_BITS)
    if metric == "value" and bits.promise == Promise.NONE:
        return _promised(Promise.TOLERANCE, differences, _FOR_VALUES)
    return bits


def promise_of_data(differences: Differences) -> Promised:
    """What the digest of a data set promises: simulations depend on BLAS and its kernels."""
    return _promised(Promise.BITS, differences, _FOR_DATA)


def _promised(promise: Promise, differences: Differences, needed: tuple[str, ...]) -> Promised:
    """The promise if all that it needs is the same, or else what differs first."""
    reasons = [getattr(differences, name) for name in needed]
    first = next(filter(None, reasons), "")
    return Promised(Promise.NONE, first) if first else Promised(promise)
