"""The differences themselves: right on known functions, and awake at kinks."""

import numpy as np
import pytest

from reference import finite_difference as fd

X = np.array([0.3, -0.7, 1.1])
U = fd.unit_direction((3,), 0)


def test_difference_of_a_known_function():
    assert fd.central_difference(lambda x: (x**3).sum(), X, U, 1e-5) == pytest.approx(
        3 * X**2 @ U, rel=1e-9
    )
    np.testing.assert_allclose(fd.full_gradient(lambda x: (x**3).sum(), X), 3 * X**2, rtol=1e-8)


def test_sweep_is_a_v_whose_bottom_is_the_plateau():
    errors = fd.step_sweep(lambda x: np.exp(x).sum(), X, U, float(np.exp(X) @ U))
    assert fd.plateau(errors) < 1e-9
    assert errors[0] > 100 * fd.plateau(errors) < errors[-1]


def test_a_wrong_slope_has_no_plateau():
    errors = fd.step_sweep(lambda x: np.exp(x).sum(), X, U, 1.001 * float(np.exp(X) @ U))
    assert fd.plateau(errors) > 1e-4


@pytest.mark.parametrize("offset", [0.0, 0.3, -0.6, 0.9])
def test_kinks_and_jumps_between_the_points_are_noticed(offset):
    direction = np.array([1.0, 0, 0])
    at = X[0] + offset * 1e-3

    def kink(x):
        return abs(x[0] - at) + (x**2).sum()

    def jump(x):
        return float(x[0] > at) * 1e-3 + (x**2).sum()

    for broken in (kink, jump):
        with pytest.raises(fd.KinkError, match="kink or a jump"):
            fd.require_smooth(broken, X, direction)


def test_smooth_functions_pass():
    for f in (lambda x: np.sin(5 * x).sum(), lambda x: (x**2).sum(), lambda x: 4.2):
        fd.require_smooth(f, X, U)
