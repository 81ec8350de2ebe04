"""From PyTorch the losses have the values and gradients that they have in JAX."""

import inspect

import jax
import numpy as np
import pytest

torch = pytest.importorskip("torch")

import diffbio.torch  # noqa: E402
from benchmarks.measure.sweep.accuracy import relative_error  # noqa: E402
from diffbio import functional  # noqa: E402
from tests.inputs import N_CELLS, draw, search_options, split  # noqa: E402
from tests.tolerances import DTYPES, GRADIENT, VALUE  # noqa: E402
from tests.torch.calls import (  # noqa: E402
    differentiated,
    drawn,
    each_case,
    each_loss,
    function_of,
    tensors_of,
)

pytestmark = pytest.mark.usefixtures("compiled_quickly")

LOSSES = diffbio.torch.__all__


@pytest.mark.parametrize("name", LOSSES)
def test_a_function_has_the_signature_of_its_loss(name):
    def named(function):
        parameters = inspect.signature(function).parameters
        return {n: (p.kind, p.default) for n, p in parameters.items() if n != "axis_name"}

    assert named(getattr(diffbio.torch, name)) == named(getattr(functional, name))


def test_every_loss_is_there():
    losses = {name for name in functional.__all__ if name[0].islower()}
    assert losses == set(LOSSES)


@pytest.mark.parametrize(
    "dtype", ["float64", "float32", pytest.param("bfloat16", marks=pytest.mark.slow)]
)
@each_case
def test_values_and_gradients_are_those_of_jax(case, dtype):
    arrays = draw(case, "masked", N_CELLS, dtype=DTYPES[dtype])
    options = search_options(case)
    moving, constant = split(case, arrays)
    expected, expected_gradients = jax.jit(
        jax.value_and_grad(lambda d: case.loss(**d, **constant, **options))
    )(moving)
    tensors = tensors_of(case, arrays)
    value = function_of(case)(**tensors, **options)
    value.backward()
    assert str(value.dtype) == f"torch.{expected.dtype}"
    assert relative_error(value.item(), float(expected)) <= VALUE[dtype]
    with torch.no_grad():
        unrecorded = function_of(case)(**tensors, **options)
    assert not unrecorded.requires_grad
    assert relative_error(unrecorded.item(), float(expected)) <= VALUE[dtype]
    for name in case.differentiable:
        gradient = tensors[name].grad
        assert gradient.dtype == tensors[name].dtype
        own, jaxs = gradient.double().numpy(), np.asarray(expected_gradients[name], np.float64)
        assert relative_error(own, jaxs) <= GRADIENT[dtype], name


@each_loss
def test_gradients_pass_pytorchs_own_check(case):
    tensors, options = drawn(case, n_cells=20)
    options = dict.fromkeys(options, 7)
    constant = split(case, tensors)[1]
    loss = function_of(case)
    assert torch.autograd.gradcheck(
        lambda *moving: loss(
            **dict(zip(case.differentiable, moving, strict=True)), **constant, **options
        ),
        differentiated(case, tensors),
        atol=1e-6,
        fast_mode=True,
    )


def test_losses_per_cell_have_a_gradient_per_cell():
    x = torch.randn(30, 4, dtype=torch.float64, requires_grad=True)
    labels = torch.arange(30) % 3
    mixing = lambda x: diffbio.torch.batch_mixing_loss(x, labels, reduce=False)  # noqa: E731
    assert mixing(x).shape == (30,)
    assert torch.autograd.gradcheck(mixing, x, fast_mode=True, atol=1e-6)


def test_every_term_of_the_combined_loss_has_a_gradient():
    x = torch.randn(30, 4, dtype=torch.float64, requires_grad=True)
    a = torch.softmax(torch.randn(30, 3, dtype=torch.float64), 1).requires_grad_()
    labels = torch.arange(30) % 3
    parts = diffbio.torch.combined_loss(x, labels, a, weights=(2.0, 3.0, 1.0))
    for term, alone in (
        (parts.batch, diffbio.torch.batch_mixing_loss(x, labels)),
        (parts.cluster, diffbio.torch.clustering_compactness_loss(x, a)),
    ):
        (own,) = torch.autograd.grad(term, x, retain_graph=True)
        (expected,) = torch.autograd.grad(alone, x)
        torch.testing.assert_close(own, expected)
    assert parts.total.item() == pytest.approx(2 * parts.batch.item() + 3 * parts.cluster.item())


def test_a_number_may_be_a_tensor_that_is_learned():
    x, labels = torch.randn(30, 4, dtype=torch.float64), torch.arange(30) % 3
    temperature = torch.tensor(2.0, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(
        lambda t: diffbio.torch.batch_mixing_loss(x, labels, temperature=t), temperature
    )
