"""The tolerances, by dtype: relative, of values and of the norm of gradients."""

import jax
import jax.numpy as jnp

VALUE = {"float64": 1e-12, "float32": 1e-5, "bfloat16": 1e-4}
GRADIENT = {"float64": 1e-9, "float32": 1e-4, "bfloat16": 1e-2}
# A GPU adds up the gradients of a cell's edges in an order that it does not promise.
REPEATED_GRADIENT = VALUE["float64" if jax.default_backend() == "cpu" else "float32"]
FINITE_DIFFERENCE_PLATEAU = 1e-7

DTYPES = {"float64": jnp.float64, "float32": jnp.float32, "bfloat16": jnp.bfloat16}
