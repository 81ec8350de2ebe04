"""The relative errors up to which results agree."""

from collections.abc import Mapping

__all__ = ["LEAST_VALUE", "TOLERANCES"]

# Finite differences are taken in float64, all others compare float32 results.
TOLERANCES: Mapping[str, float] = {
    "value_error": 1e-5,
    "gradient_error": 1e-4,
    "neighbor_error": 1e-5,
    "block_size_error": 1e-5,
    "finite_difference_error": 1e-7,
}
# Errors of smaller values are relative to this one.
LEAST_VALUE = 1e-3
