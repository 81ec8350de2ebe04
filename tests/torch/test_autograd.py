"""The losses are parts of PyTorch's graph as its own operations are."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

torch = pytest.importorskip("torch")

import diffbio.torch  # noqa: E402
from diffbio.torch import _bridge, _programs  # noqa: E402
from tests.torch.calls import differentiated, drawn, each_loss, function_of  # noqa: E402

pytestmark = pytest.mark.usefixtures("compiled_quickly")

LABELS = torch.arange(30) % 3


def points(**options):
    return torch.randn(30, 4, generator=torch.Generator().manual_seed(0), **options)


def mixing(x):
    return diffbio.torch.batch_mixing_loss(x, LABELS)


def test_a_tensor_used_twice_gets_both_gradients():
    x = points(requires_grad=True)
    (mixing(x) + mixing(2 * x)).backward()
    once = points(requires_grad=True)
    first, second = (torch.autograd.grad(mixing(k * once), once)[0] for k in (1, 2))
    torch.testing.assert_close(x.grad, first + second)


@each_loss
def test_a_second_derivative_is_an_error_that_names_the_loss(case):
    tensors, options = drawn(case)
    moving = differentiated(case, tensors)
    gradient = torch.autograd.grad(
        function_of(case)(**tensors, **options), moving, create_graph=True
    )[0]
    name = "combined_loss" if case.name == "combined" else function_of(case).func.__name__
    with pytest.raises(RuntimeError, match=f"diffbio.torch.{name} has no second derivative"):
        torch.autograd.grad(gradient.sum(), moving, allow_unused=True)


def test_a_gradient_that_is_recorded_is_still_the_gradient():
    x = points(requires_grad=True)
    (recorded,) = torch.autograd.grad(mixing(x), x, create_graph=True)
    (plain,) = torch.autograd.grad(mixing(x), x)
    assert torch.equal(recorded, plain)


def test_a_graph_is_freed_unless_it_is_retained():
    x = points(requires_grad=True)
    loss = mixing(x)
    first, again = (torch.autograd.grad(loss, x, retain_graph=keep)[0] for keep in (True, False))
    assert torch.equal(first, again)
    with pytest.raises(RuntimeError, match="second time"):
        loss.backward()


def test_a_result_that_is_written_to_changes_no_gradient():
    def exponential(x):
        # The value is what its own gradient needs.
        return jnp.exp(x)

    x = points(requires_grad=True)
    value = _bridge.of_tensors(exponential, "")(x)
    value += 100
    value.sum().backward()
    torch.testing.assert_close(x.grad, torch.exp(x.detach()))


def test_no_gradient_makes_no_backward_program(monkeypatch):
    def fail(*_):
        raise AssertionError

    jax.clear_caches()
    monkeypatch.setattr(jax, "vjp", fail)
    assert not mixing(points()).requires_grad
    with torch.no_grad():
        mixing(points(requires_grad=True))
    with pytest.raises(AssertionError):
        mixing(points(requires_grad=True))


def test_only_tensors_that_require_a_gradient_are_differentiated(monkeypatch):
    seen = []
    compiled = _programs.evaluate
    monkeypatch.setattr(_bridge, "evaluate", lambda s, a: seen.append(a) or compiled(s, a))
    v = points(requires_grad=True)
    diffbio.torch.velocity_consistency_loss(points(), v, points() + 1).backward()
    (arguments,) = seen
    assert len(jax.tree.leaves(arguments.differentiated)) == 1
    assert v.grad is not None


def test_a_tensor_changed_before_the_backward_pass_is_an_error():
    x = points(requires_grad=True)
    y = x * 1
    loss = mixing(y)
    y.detach().add_(1)
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        loss.backward()


@each_loss
def test_results_share_memory_with_nothing(case):
    tensors, options = drawn(case)
    moving = differentiated(case, tensors)
    value = function_of(case)(**tensors, **options)
    before = torch.autograd.grad(value, moving, retain_graph=True)
    kept = value.item()
    value.detach().add_(1)
    for tensor in tensors.values():
        tensor.data.zero_()
    assert value.item() == kept + 1
    memory = [t.data_ptr() for t in (value, *tensors.values(), *before)]
    assert len(set(memory)) == len(memory)


def test_a_loss_may_be_added_to_in_place():
    x = points(requires_grad=True)
    loss = mixing(x)
    loss += x.square().mean()
    loss.backward()
    expected = torch.autograd.grad(mixing(x), x)[0] + 2 * x.detach() / x.numel()
    torch.testing.assert_close(x.grad, expected)


def test_another_number_compiles_nothing():
    x = points(requires_grad=True)
    diffbio.torch.batch_mixing_loss(x, LABELS, temperature=1.0).backward()
    before = _programs.evaluate._cache_size()
    diffbio.torch.batch_mixing_loss(x, LABELS, temperature=2.0).backward()
    assert _programs.evaluate._cache_size() == before


@pytest.mark.parametrize("enabled", [False, True])
def test_jaxs_setting_of_64_bit_types_does_not_matter(enabled):
    with jax.enable_x64(enabled):
        for dtype in (torch.float32, torch.float64, torch.float16):
            x = points().to(dtype).requires_grad_()
            loss = mixing(x)
            loss.backward()
            assert loss.dtype == (torch.float64 if dtype == torch.float64 else torch.float32)
            assert x.grad.dtype == dtype


def test_a_layer_is_trained():
    torch.manual_seed(0)
    layer = torch.nn.Linear(4, 2)
    optimizer = torch.optim.Adam(layer.parameters(), lr=0.05)
    x = points() + 2 * torch.nn.functional.one_hot(LABELS, 4)
    losses = []
    for _ in range(10):
        optimizer.zero_grad()
        loss = mixing(layer(x))
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert np.isfinite(losses).all()
    assert losses[-1] < losses[0]
