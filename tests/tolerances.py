"""The tolerances, by dtype: relative, of values and of the norm of gradients."""

import jax.numpy as jnp

VALUE = {"float64": 1e-12, "float32": 1e-5, "bfloat16": 1e-4}
GRADIENT = {"float64": 1e-9, "float32": 1e-4, "bfloat16": 1e-2}
FINITE_DIFFERENCE_PLATEAU = 1e-7

DTYPES = {"float64": jnp.float64, "float32": jnp.float32, "bfloat16": jnp.bfloat16}
