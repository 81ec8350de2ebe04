"""No intermediate grows with the square of the cells or with cells x neighbours x dims."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.extend.core import ClosedJaxpr, Jaxpr

from benchmarks.schema.suite import TRANSFORMS
from diffbio.functional import clustering_compactness_loss
from tests.inputs import abstract_inputs, every_case
from tests.platforms import parameters_on_cpu

N_CELLS = 16384
CASES = every_case()


def shapes(jaxpr):
    """Shapes of all intermediates on a CPU, those of inner programs included."""
    for equation in jaxpr.eqns:
        for variable in equation.outvars:
            yield tuple(getattr(variable.aval, "shape", ()))
        for parameter in jax.tree.leaves(
            tuple(parameters_on_cpu(equation).values()),
            is_leaf=lambda p: isinstance(p, ClosedJaxpr | Jaxpr),
        ):
            if isinstance(parameter, ClosedJaxpr):
                yield from shapes(parameter.jaxpr)
            elif isinstance(parameter, Jaxpr):
                yield from shapes(parameter)


@CASES
def test_no_large_intermediate(case):
    arrays = abstract_inputs(case, N_CELLS)
    differentiated = {name: arrays.pop(name) for name in case.differentiable}
    program = jax.value_and_grad(lambda d, c: case.loss(**d, **c))
    found = set(shapes(jax.make_jaxpr(program)(differentiated, arrays).jaxpr))
    widest = max(np.prod(a.shape[1:], dtype=int) for a in differentiated.values())
    largest = max(N_CELLS * widest, N_CELLS * 256)
    assert max(np.prod(shape, dtype=int) for shape in found) <= largest
    assert not [shape for shape in found if list(shape).count(N_CELLS) > 1]


@pytest.mark.slow
@CASES
@pytest.mark.parametrize("transform", TRANSFORMS)
def test_temporary_memory_at_262144_cells_stays_within_its_target(case, transform):
    arrays = abstract_inputs(case, 262144)
    input_bytes = sum(a.size * a.dtype.itemsize for a in arrays.values())
    differentiated = {name: arrays.pop(name) for name in case.differentiable}

    def value(differentiated, constant):
        return case.loss(**differentiated, **constant)

    program = jax.value_and_grad(value) if transform == "value_and_grad" else value
    memory = jax.jit(program).lower(differentiated, arrays).compile().memory_analysis()
    assert memory.temp_size_in_bytes <= 2 * input_bytes + 64 * 2**20


def test_the_separation_forms_no_array_of_clusters_by_clusters_by_dims():
    n_cells, n_clusters, dim = 1000, 300, 2000
    arrays = {
        "embeddings": jax.ShapeDtypeStruct((n_cells, dim), jnp.float32),
        "assignments": jax.ShapeDtypeStruct((n_cells, n_clusters), jnp.float32),
    }
    centroids = {"centroids": jax.ShapeDtypeStruct((n_clusters, dim), jnp.float32)}
    program = jax.value_and_grad(lambda arrays: clustering_compactness_loss(**arrays))
    for given in (arrays, arrays | centroids):
        found = set(shapes(jax.make_jaxpr(program)(given).jaxpr))
        assert max(np.prod(shape, dtype=int) for shape in found) <= n_cells * dim
