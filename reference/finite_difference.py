"""Central differences, step sweeps, and a test that notices a kink between the points."""

import numpy as np

STEPS = tuple(10.0**-e for e in (2, 2.5, 3, 3.5, 4, 4.5, 5, 5.5, 6, 6.5, 7, 7.5, 8))


class KinkError(ArithmeticError):
    """The function is not smooth between the points of a difference."""


def central_difference(f, x, direction, step):
    """``(f(x + h u) - f(x - h u)) / 2h`` for a float64 function of an array."""
    return (f(x + step * direction) - f(x - step * direction)) / (2 * step)


def full_gradient(f, x, step=1e-5):
    """Central differences along every coordinate of x; for small arrays."""
    x = np.asarray(x, dtype=np.float64)
    gradient = np.zeros_like(x)
    for at in np.ndindex(x.shape):
        direction = np.zeros_like(x)
        direction[at] = 1.0
        gradient[at] = central_difference(f, x, direction, step)
    return gradient


def unit_direction(shape, seed):
    """A random direction of unit norm."""
    direction = np.random.default_rng(seed).normal(size=shape)
    return direction / np.linalg.norm(direction)


def step_sweep(f, x, direction, slope, steps=STEPS):
    """Relative error of the central difference against ``slope`` at every step.

    Over falling steps the errors draw a V: truncation falls as the square of the step until
    rounding, which grows as its inverse, takes over. The bottom is the plateau.
    """
    scale = max(abs(slope), np.finfo(np.float64).tiny)
    return np.array([abs(central_difference(f, x, direction, h) - slope) / scale for h in steps])


def plateau(errors):
    """The bottom of the V: the median of the three smallest neighbouring errors.

    One error may be small by chance, where the signed error crosses zero; three in a row
    are not.
    """
    windows = np.lib.stride_tricks.sliding_window_view(np.asarray(errors), 3)
    return float(np.median(windows, axis=1).min())


def require_smooth(f, x, direction, step=1e-3, tolerance=0.05):
    """Raise ``KinkError`` if f has a kink or a jump within one step of x.

    The fourth difference over five points vanishes as h^4 for a smooth function. A kink
    anywhere between the points leaves it of the order of the change of slope times h, a
    jump of the order of the jump.
    """
    values = np.array([f(x + t * step * direction) for t in (-1.0, -0.5, 0.0, 0.5, 1.0)])
    fourth = abs(values @ [1.0, -4.0, 6.0, -4.0, 1.0])
    variation = np.abs(np.diff(values)).sum()
    rounding = 64 * np.finfo(np.float64).eps * np.abs(values).max()
    if fourth > tolerance * variation + rounding:
        raise KinkError(
            f"fourth difference {fourth:.3e} against a variation of {variation:.3e} over five "
            f"points {step:g} apart: a kink or a jump lies between them"
        )
