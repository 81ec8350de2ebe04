"""What a published figure promises to whoever measures it again.

A promise depends on what is the same then and now. Times are never promised: they inform.
"""

from collections.abc import Mapping
from enum import StrEnum
from typing import NamedTuple

from benchmarks.schema.metrics import METRICS, Kind
from reports.judge.verdict import WALL_CLOCK

__all__ = ["Conditions", "Promise", "Promised", "promise_of_data", "promise_of_figure"]


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


class Conditions(NamedTuple):
    """What is the same for two measurements of a figure.

    Attributes:
        cells: the cells, by their digest.
        code: library, references and benchmarks.
        versions: jax, jaxlib, the backend and ``XLA_FLAGS``.
        instruction_set: architecture, vector extensions and devices.
        cores: the number of cores, over which XLA divides loops and sums.
        numpy: the version of NumPy, which simulates the cells.
    """

    cells: bool
    code: bool
    versions: bool
    instruction_set: bool
    cores: bool
    numpy: bool


_REASONS: Mapping[str, str] = {
    "cells": "other cells",
    "code": "other code",
    "versions": "another version of jax, backend or XLA_FLAGS",
    "instruction_set": "another instruction set",
    "cores": "another number of cores",
    "numpy": "another version of NumPy",
}
_FOR_COUNTERS = ("code", "versions")
_FOR_FINGERPRINT = (*_FOR_COUNTERS, "cores")
_FOR_BITS = ("cells", "code", "versions", "instruction_set", "cores")
_FOR_DATA = ("code", "numpy", "instruction_set", "cores")


def promise_of_figure(metric: str, same: Conditions) -> Promised:
    """What a figure promises.

    Errors are promised within their tolerances, whatever is the same: the losses agree with
    their references everywhere. A value is promised for the same cells, within the tolerance
    of ``value_error``, or in bits where all is the same that they depend on. Counters do not
    depend on the cells, only on their number.

    Args:
        metric: one of ``METRICS``.
        same: what is the same then and now.
    """
    kind = METRICS[metric].kind
    if kind in WALL_CLOCK:
        return Promised(Promise.NONE, "times and peaks inform")
    if kind == Kind.ACCURACY:
        return Promised(Promise.TOLERANCE)
    if metric == "hlo_fingerprint":
        return _promised(Promise.COUNTER, same, _FOR_FINGERPRINT)
    if kind != Kind.RESULT:
        return _promised(Promise.COUNTER, same, _FOR_COUNTERS)
    bits = _promised(Promise.BITS, same, _FOR_BITS)
    weaker = metric == "value" and same.cells and bits.promise == Promise.NONE
    return Promised(Promise.TOLERANCE) if weaker else bits


def promise_of_data(same: Conditions) -> Promised:
    """What the digest of a data set promises: simulations depend on BLAS and its kernels."""
    return _promised(Promise.BITS, same, _FOR_DATA)


def _promised(promise: Promise, same: Conditions, needed: tuple[str, ...]) -> Promised:
    """The promise if all that it needs is the same, or else the first reason against it."""
    for name in needed:
        if not getattr(same, name):
            return Promised(Promise.NONE, _REASONS[name])
    return Promised(promise)
