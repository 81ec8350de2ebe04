"""Agreement of a loss and its gradients with the reference."""

import jax

from benchmarks.measure.sweep.accuracy import relative_error
from tests.inputs import for_reference, split
from tests.tolerances import GRADIENT, VALUE


def value_and_gradients_of(case, **options):
    """The loss and its gradients, of the arrays that are differentiated and the others."""
    return jax.value_and_grad(lambda d, c: case.loss(**d, **c, **options))


def assert_equal_to_the_reference(case, arrays, about, dtype="float64", program=None, **options):
    """Value and gradients, within the tolerances of the arrays' dtype; ``about`` says of what.

    They are those of ``program``, if there is one that computes them.
    """
    program = program or value_and_gradients_of(case, **options)
    value, gradients = program(*split(case, arrays))
    inputs = {**for_reference(arrays), **options}
    expected, expected_gradients = case.reference(**inputs), case.reference_gradients(**inputs)
    assert relative_error(value, expected) <= VALUE[dtype], about
    for name, gradient in gradients.items():
        assert gradient.dtype == arrays[name].dtype
        assert relative_error(gradient, expected_gradients[name]) <= GRADIENT[dtype], (about, name)
