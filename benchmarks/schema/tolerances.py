"""What counts as agreement, relative."""

from collections.abc import Mapping

__all__ = ["TOLERANCES"]

# Of float32 values, gradients, squared distances of the neighbours and results with other
# blocks; of float64 finite differences.
TOLERANCES: Mapping[str, float] = {
    "value_error": 1e-5,
    "gradient_error": 1e-4,
    "neighbor_error": 1e-5,
    "block_size_error": 1e-5,
    "finite_difference_error": 1e-7,
}
