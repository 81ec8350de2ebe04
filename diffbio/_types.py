"""What the public functions accept, for their annotations.

Arrays are JAX's or NumPy's. Shapes and dtypes are checked while the tests run.
"""

import jax
import numpy as np
from jaxtyping import Integer, Real

__all__ = ["AnyArray", "Scalar", "StaticInteger"]

AnyArray = jax.Array | np.ndarray
# A number that may be traced.
Scalar = float | int | np.number | Real[AnyArray, ""]
# A number that must be known before tracing; arrays that hold one are read.
StaticInteger = int | np.integer | Integer[AnyArray, ""]
