"""The relative errors up to which results agree."""

from collections.abc import Mapping

__all__ = ["DEVICE_TOLERANCES", "LEAST_VALUE", "TOLERANCES"]

# Finite differences are taken in float64, all others compare float32 results.
TOLERANCES: Mapping[str, float] = {
    "value_error": 1e-5,
    "gradient_error": 1e-4,
    "neighbor_error": 1e-5,
    "block_size_error": 1e-5,
    "finite_difference_error": 1e-7,
}
# Results of many devices are compared with those of one, in the same arithmetic.
DEVICE_TOLERANCES: Mapping[str, Mapping[str, float]] = {
    "float32": {"value_error": 1e-6, "gradient_error": 1e-5},
    "float64": {"value_error": 1e-12, "gradient_error": 1e-11},
}
# Errors of smaller values are relative to this one.
LEAST_VALUE = 1e-3
