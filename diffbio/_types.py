"""Types that annotate the arguments of the public functions.

Arrays are JAX's or NumPy's. Shapes and dtypes are checked while the tests run.
"""

import jax
import numpy as np
from jaxtyping import Integer, Real

__all__ = ["AnyArray", "Scalar", "StaticInteger"]

AnyArray = jax.Array | np.ndarray
# A number that may be traced.
Scalar = float | int | np.number | Real[AnyArray, ""]
# An integer that must be known before tracing; an array that holds a single one will do.
StaticInteger = int | np.integer | Integer[AnyArray, ""]
