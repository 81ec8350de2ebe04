"""Agreement of a loss and its gradients with the reference."""

import jax

from benchmarks.measure.sweep.accuracy import relative_error
from tests.inputs import for_reference, split
from tests.tolerances import GRADIENT, VALUE


def assert_equal_to_the_reference(case, arrays, about, dtype="float64", **options):
    """Value and gradients, within the tolerances of the arrays' dtype; ``about`` says of what."""
    differentiated, constant = split(case, arrays)
    value, gradients = jax.value_and_grad(lambda d: case.loss(**d, **constant, **options))(
        differentiated
    )
    inputs = {**for_reference(arrays), **options}
    expected, expected_gradients = case.reference(**inputs), case.reference_gradients(**inputs)
    assert relative_error(value, expected) <= VALUE[dtype], about
    for name, gradient in gradients.items():
        assert gradient.dtype == arrays[name].dtype
        assert relative_error(gradient, expected_gradients[name]) <= GRADIENT[dtype], (about, name)
