"""Three independent gradients agree: automatic, hand-derived and central differences."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from benchmarks.catalog.cases import CATALOG
from benchmarks.measure.sweep.accuracy import gradient_v_curve, relative_error
from diffbio.functional import batch_mixing_loss
from reference import finite_difference as fd
from reference import neighbors
from reference.batch_mixing import batch_mixing_gradients
from tests.inputs import N_CELLS, draw, every_case, few_neighbors, for_reference, split
from tests.tolerances import FINITE_DIFFERENCE_PLATEAU, GRADIENT

pytestmark = pytest.mark.usefixtures("compiled_quickly")

CASES = pytest.mark.parametrize("case", CATALOG, ids=lambda case: case.name)


# For so few cells.
N_NEIGHBORS = 4


def reference_options(case):
    return {} if case.n_neighbors is None else {"n_neighbors": N_NEIGHBORS}


def require_same_neighbors(case, inputs, name, direction, step):
    """Prove that no neighbour set changes within a step, for losses that search."""
    if case.n_neighbors is None or name not in ("embeddings", "expression"):
        return
    sets = [
        np.sort(
            neighbors.nearest_neighbors(inputs[name] + sign * step * direction, N_NEIGHBORS), axis=1
        )
        for sign in (-1, 0, 1)
    ]
    assert np.array_equal(sets[0], sets[1]), "neighbour sets change within the step"
    assert np.array_equal(sets[1], sets[2]), "neighbour sets change within the step"


@CASES
def test_every_coordinate_for_few_cells(case):
    arrays = draw(case, "random", 12, seed=3)
    few, options = few_neighbors(case, N_NEIGHBORS), reference_options(case)
    differentiated, constant = split(case, arrays)
    gradients = jax.grad(lambda d: case.loss(**d, **constant, **few))(differentiated)
    inputs = for_reference(arrays)
    analytic = case.reference_gradients(**inputs, **options)
    for name in case.differentiable:

        def value(array, name=name):
            return case.reference(**{**inputs, name: array}, **options)

        differences = fd.full_gradient(value, inputs[name])
        assert relative_error(analytic[name], differences) <= FINITE_DIFFERENCE_PLATEAU, name
        assert relative_error(gradients[name], analytic[name]) <= GRADIENT["float64"], name


@pytest.mark.parametrize("dim", [1, 7, 8, 9, 16, 23])
def test_the_gradient_of_embeddings_of_any_width(dim):
    """Columns are added to far ends in two parts where their number is no multiple of 8."""
    rng = np.random.default_rng(dim)
    x, labels = rng.normal(size=(N_CELLS, dim)), np.arange(N_CELLS) % 3
    given = {"neighbor_indices": neighbors.nearest_neighbors(x, 5)}
    gradient = jax.grad(batch_mixing_loss)(jnp.asarray(x), labels, **given)
    expected = batch_mixing_gradients(x, labels, **given)["embeddings"]
    assert relative_error(gradient, expected) <= GRADIENT["float64"]


@every_case()
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_random_directions_reach_the_plateau(case, seed):
    arrays = draw(case, "random", 60, seed=seed)
    few, options = few_neighbors(case, N_NEIGHBORS), reference_options(case)
    differentiated, constant = split(case, arrays)
    gradients = jax.grad(lambda d: case.loss(**d, **constant, **few))(differentiated)
    inputs = for_reference(arrays)
    for name in case.differentiable:
        direction = fd.unit_direction(inputs[name].shape, 100 + seed)
        require_same_neighbors(case, inputs, name, direction, 1e-4)

        def value(array, name=name):
            return case.reference(**{**inputs, name: array}, **options)

        fd.require_smooth(value, inputs[name], direction, step=1e-4)
        steps = [h for h in fd.STEPS if h <= 1.001e-4]
        slope = float(np.vdot(np.asarray(gradients[name]), direction))
        errors = fd.step_sweep(value, inputs[name], direction, slope, steps)
        assert fd.plateau(errors) <= FINITE_DIFFERENCE_PLATEAU, (name, errors)


@pytest.mark.slow
@CASES
def test_the_reports_gradient_check_reaches_the_plateau(case):
    assert gradient_v_curve(case, n_cells=64)["plateau"] <= FINITE_DIFFERENCE_PLATEAU


@pytest.mark.slow
@CASES
def test_float32_gradient_equals_the_float64_one(case):
    cells = case.make_inputs(500, dtype=np.float32)
    differentiated, constant = split(case, {k: jnp.asarray(v) for k, v in cells.items()})
    single = jax.grad(lambda d: case.loss(**d, **constant))(differentiated)
    double_inputs = {name: array.astype(jnp.float64) for name, array in differentiated.items()}
    wide = {
        name: a.astype(jnp.float64) if jnp.issubdtype(a.dtype, jnp.floating) else a
        for name, a in constant.items()
    }
    double = jax.grad(lambda d: case.loss(**d, **wide))(double_inputs)
    for name in case.differentiable:
        assert relative_error(single[name], double[name]) <= GRADIENT["float32"], name


@pytest.mark.slow
@CASES
def test_gradient_scales_with_the_cotangent(case):
    arrays = draw(case, "random", N_CELLS)
    differentiated, constant = split(case, arrays)
    once = jax.grad(lambda d: case.loss(**d, **constant))(differentiated)
    thrice = jax.grad(lambda d: 3 * case.loss(**d, **constant))(differentiated)
    for name in case.differentiable:
        assert relative_error(thrice[name], 3 * once[name]) <= 1e-12


def test_gradient_of_traced_scalars_is_the_difference_quotient():
    by_name = {case.name: case for case in CATALOG}
    scalars = {
        "batch_mixing": ("temperature", 1.0),
        "batch_mixing_local": ("temperature", 1.0),
        "compactness": ("min_separation", 1.0),
        "velocity": ("dt", 0.1),
        "velocity_transition": ("temperature", 0.1),
    }
    for loss, (argument, at) in scalars.items():
        case = by_name[loss]
        arrays = draw(case, "random", N_CELLS)
        inputs = for_reference(arrays)
        slope = jax.grad(lambda s, c=case, a=arrays, n=argument: c.loss(**a, **{n: s}))(at)
        h = 1e-5 * at
        ends = [case.reference(**inputs, **{argument: at + sign * h}) for sign in (1, -1)]
        assert float(slope) == pytest.approx((ends[0] - ends[1]) / (2 * h), rel=1e-6), loss
