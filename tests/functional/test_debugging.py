"""The losses work under JAX's switches that people turn on to debug a model."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from benchmarks.measure.sweep.accuracy import relative_error
from tests.inputs import N_CELLS, draw, every_case, for_reference, split
from tests.tolerances import GRADIENT, VALUE

pytestmark = pytest.mark.usefixtures("compiled_quickly")

N_CELLS_OF_BLOCKS = 300
CASES = every_case()
TRACING = {
    "strict dtypes": lambda: jax.numpy_dtype_promotion("strict"),
    "strict ranks": lambda: jax.numpy_rank_promotion("raise"),
    "tracer leaks": jax.check_tracer_leaks,
}


@CASES
@pytest.mark.parametrize(
    "switch",
    ["strict dtypes", "strict ranks", pytest.param("tracer leaks", marks=pytest.mark.slow)],
)
def test_value_and_gradient_are_traced_under(switch, case):
    for kind, dtype in (("random", jnp.float64), ("masked", jnp.bfloat16)):
        arrays = draw(case, kind, N_CELLS_OF_BLOCKS, dtype=dtype)
        differentiated, constant = split(case, arrays)

        def loss(d, c):
            return case.loss(**d, **c)

        with TRACING[switch]():
            value, _ = jax.eval_shape(jax.value_and_grad(loss), differentiated, constant)
        assert value.shape == ()


@CASES
def test_no_nan_is_made_on_the_way(case):
    differentiated, constant = split(case, draw(case, "duplicated", N_CELLS))
    with jax.debug_nans(True):
        value, gradients = jax.value_and_grad(lambda d: case.loss(**d, **constant))(differentiated)
    assert np.isfinite(value)
    assert all(np.isfinite(gradient).all() for gradient in gradients.values())


@CASES
def test_float32_is_right_with_64_bit_types_off_too(case):
    with jax.enable_x64(False):
        arrays = draw(case, "random", N_CELLS, dtype=jnp.float32)
        differentiated, constant = split(case, arrays)
        value, gradients = jax.value_and_grad(lambda d: case.loss(**d, **constant))(differentiated)
        inputs = for_reference(arrays)
        assert value.dtype == jnp.float32
        assert relative_error(value, case.reference(**inputs)) <= VALUE["float32"]
        for name, expected in case.reference_gradients(**inputs).items():
            if name in gradients:
                assert gradients[name].dtype == jnp.float32
                assert relative_error(gradients[name], expected) <= GRADIENT["float32"], name
