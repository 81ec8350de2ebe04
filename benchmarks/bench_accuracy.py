"""Relative errors against the NumPy twin."""

from benchmarks.common import Swept, tracked


class Accuracy(Swept):
    track_value_error = tracked("value_error")
    track_gradient_error = tracked("gradient_error")
