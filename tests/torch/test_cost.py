"""What a call repeats: neither tracing, nor a copy of a tensor, nor a second program."""

import time

import jax
import numpy as np
import pytest

torch = pytest.importorskip("torch")

import diffbio.torch  # noqa: E402
from diffbio.torch import _bridge, _exchange  # noqa: E402
from tests.torch.calls import differentiated, drawn, each_loss, function_of  # noqa: E402

pytestmark = pytest.mark.usefixtures("compiled_quickly")


@pytest.fixture
def traced():
    """The durations of all that JAX traces or compiles during a test."""
    events = []

    def listen(event, duration, **_):
        if "compile" in event or "trace" in event:
            events.append(event)

    jax.clear_caches()
    jax.monitoring.register_event_duration_secs_listener(listen)
    yield events
    jax.monitoring.unregister_event_duration_listener(listen)


@each_loss
def test_a_repeated_call_traces_nothing(case, traced):
    for seed in range(3):
        tensors, options = drawn(case)
        tensors = {
            name: (t + 0.01 * seed).detach().requires_grad_() if t.requires_grad else t
            for name, t in tensors.items()
        }
        value = function_of(case)(**tensors, **options)
        torch.autograd.grad(value, differentiated(case, tensors))
        with torch.no_grad():
            function_of(case)(**tensors, **options)
        if not seed:
            assert traced
            traced.clear()
    assert not traced


def test_another_number_and_other_labels_trace_nothing(traced):
    x = torch.randn(30, 4, requires_grad=True)
    for seed in range(3):
        labels = (torch.arange(30) + seed) % 3
        diffbio.torch.batch_mixing_loss(x, labels, temperature=1.0 + seed).backward()
        if not seed:
            traced.clear()
    assert not traced


@each_loss
def test_a_single_number_has_its_gradient_from_the_program_of_the_value(case, monkeypatch):
    if case.name == "combined":
        pytest.skip("it returns several numbers")
    tensors, options = drawn(case)
    function_of(case)(**tensors, **options).backward()

    def fail(*_):
        raise AssertionError

    value = function_of(case)(**tensors, **options)
    monkeypatch.setattr(_bridge, "evaluate", fail)
    monkeypatch.setattr(_bridge, "gradients", fail)
    value.backward()


def test_a_program_reads_a_tensor_where_it_lies():
    first = jax.jit(lambda x: x[0])
    x = torch.zeros(2**26, requires_grad=True)

    def seconds(tensor):
        start = time.perf_counter()
        first(_exchange.as_array(tensor)).block_until_ready()
        return time.perf_counter() - start

    assert np.asarray(_exchange.as_array(x)).ctypes.data == x.data_ptr()
    seconds(x)
    # A copy of 256 MB takes a hundred times as long as the program.
    assert min(seconds(x) for _ in range(5)) < 0.1 * seconds(x.detach()[1:])


def test_a_result_is_the_memory_of_jax():
    array = jax.numpy.ones((8, 8))
    assert _exchange.as_tensor(array).data_ptr() == array.unsafe_buffer_pointer()


def test_a_scaled_loss_keeps_gradients_too_small_for_half_precision():
    a = torch.full((1024, 2), 1e-6, dtype=torch.float16, requires_grad=True)
    (2.0**16 * diffbio.torch.simpson_diversity(a)).backward()
    expected = 2.0**16 * 2 * a.detach().double() / 1024
    torch.testing.assert_close(a.grad.double(), expected, rtol=1e-2, atol=0)
