"""Rounding to a grid, so that arrays are the same bits on every processor.

Sums and products of a BLAS, and the exponentials and logarithms of NumPy, differ in their last
bits between processors. Two rules take the differences out:

- What comes from an exponential, a logarithm or a linear algebra routine is rounded to multiples
  of a power of two that are much coarser than its error. Two values that differ by e round to
  different multiples of h with probability e / h. Of the expression of 65536 cells and 2000
  genes, which differs by 1e-17 on average, one value does so with probability 3e-4.
- Sums and products of multiples of a power of two are exact while they fit into the 53 bits of
  a float64. Then neither their order nor the instructions matter.

Elementwise ``+ - * /`` and square roots are rounded the same everywhere and need neither. Nor
does the rate of a random draw: a rate that differs by e changes the number that is drawn with
probability e, and rounding would not lower it, since e / h of the rates would differ by h.
"""

import numpy as np

__all__ = ["snap"]


def snap(values: np.ndarray, bits: int = 16) -> np.ndarray:
    """Values rounded to the nearest multiple of ``2**-bits``, ties to even; there is no -0."""
    snapped = np.rint(values * values.dtype.type(2**bits))
    snapped *= values.dtype.type(2**-bits)
    snapped += 0  # makes +0 of -0
    return snapped
