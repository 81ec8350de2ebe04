"""Differentiable losses for single-cell models, in JAX and Flax NNX.

The maths lives in :mod:`diffbio.functional`, the configured modules in
:mod:`diffbio.losses`, the exact neighbour search in :mod:`diffbio.neighbors`.
"""

__version__ = "0.1.0"

__all__ = ["__version__"]
