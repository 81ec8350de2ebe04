"""A number that changes every step is neither compiled in nor ignored."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from diffbio import losses
from diffbio.functional import (
    batch_mixing_loss,
    clustering_compactness_loss,
    combined_loss,
    velocity_consistency_loss,
    velocity_transition_loss,
)

pytestmark = pytest.mark.usefixtures("compiled_quickly")

N_CELLS, N_STEPS = 20, 50
SCHEDULE = [float(t) for t in np.geomspace(5.0, 0.5, N_STEPS)]
rng = np.random.default_rng(0)
X, V, F = jnp.asarray(rng.normal(size=(3, N_CELLS, 3)))
LABELS = jnp.arange(N_CELLS) % 3
A = jnp.asarray(rng.dirichlet(np.ones(4), N_CELLS))
INDICES = (jnp.arange(N_CELLS)[:, None] + jnp.arange(1, 4)) % N_CELLS

FUNCTIONS = {
    "temperature of batch mixing": lambda t: batch_mixing_loss(
        X, LABELS, neighbor_indices=INDICES, temperature=t
    ),
    "scalars of compactness": lambda t: clustering_compactness_loss(
        X, A, separation_weight=t, min_separation=t
    ),
    "scalars of velocity": lambda t: velocity_consistency_loss(
        X, V, F, dt=t, cosine_weight=t, magnitude_weight=t
    ),
    "scalars of transition": lambda t: velocity_transition_loss(
        X, V, neighbor_indices=INDICES, dt=t, temperature=t
    ),
    "weights of the combined loss": lambda t: (
        combined_loss(
            X,
            LABELS,
            A,
            neighbor_indices=INDICES,
            weights=(t, t, t),
            mixing=partial(batch_mixing_loss, temperature=t),
        ).total
    ),
}


@pytest.mark.parametrize("kind", [float, np.float32, jnp.float32], ids=lambda kind: kind.__name__)
@pytest.mark.parametrize("name", FUNCTIONS)
def test_a_schedule_of_direct_calls_compiles_nothing(name, kind, caplog):
    loss = FUNCTIONS[name]
    loss(kind(SCHEDULE[0]))
    with jax.log_compiles(), caplog.at_level("WARNING", logger="jax"):
        values = {float(loss(kind(t))) for t in SCHEDULE}
    assert len(values) == N_STEPS
    assert not [text for text in caplog.messages if "Compiling" in text or "tracing" in text]


@pytest.mark.parametrize("name", FUNCTIONS)
def test_a_schedule_under_jit_is_traced_once(name):
    traces = 0

    @jax.jit
    def program(t):
        nonlocal traces
        traces += 1
        return FUNCTIONS[name](t)

    for t in SCHEDULE:
        found = program(t)
    assert traces == 1
    assert float(found) == pytest.approx(float(FUNCTIONS[name](SCHEDULE[-1])), rel=1e-13)


MODULES = {
    "temperature of batch mixing": (
        lambda: losses.BatchMixingLoss(),
        ("temperature",),
        lambda loss: loss(X, LABELS, neighbor_indices=INDICES),
    ),
    "scalars of compactness": (
        lambda: losses.ClusteringCompactnessLoss(),
        ("separation_weight", "min_separation"),
        lambda loss: loss(X, A),
    ),
    "scalars of velocity": (
        lambda: losses.VelocityConsistencyLoss(),
        ("dt", "cosine_weight", "magnitude_weight"),
        lambda loss: loss(X, V, F),
    ),
}


def assign(loss, attributes, value):
    for attribute in attributes:
        setattr(loss, attribute, value)


@pytest.mark.parametrize("kind", [float, jnp.asarray], ids=["float", "array"])
@pytest.mark.parametrize("name", MODULES)
def test_a_module_called_directly_follows_its_attributes_and_compiles_nothing(name, kind, caplog):
    make, attributes, call = MODULES[name]
    loss = make()
    assign(loss, attributes, kind(SCHEDULE[0]))
    call(loss)
    with jax.log_compiles(), caplog.at_level("WARNING", logger="jax"):
        for t in SCHEDULE:
            assign(loss, attributes, kind(t))
            found = call(loss)
    assert not [text for text in caplog.messages if "Compiling" in text and "loss" in text]
    assert float(found) == pytest.approx(float(FUNCTIONS[name](SCHEDULE[-1])), rel=1e-13)


@pytest.mark.parametrize("compiled", [jax.jit, nnx.jit], ids=["jax.jit", "nnx.jit"])
@pytest.mark.parametrize("name", MODULES)
def test_a_compiled_step_follows_arrays_that_are_assigned_to_its_module(name, compiled):
    make, attributes, call = MODULES[name]
    traces = 0

    @compiled
    def step(loss):
        nonlocal traces
        traces += 1
        return call(loss)

    loss = make()
    for t in SCHEDULE:
        assign(loss, attributes, jnp.asarray(t))
        found = step(loss)
    assert traces == 1
    assert float(found) == pytest.approx(float(FUNCTIONS[name](SCHEDULE[-1])), rel=1e-13)


def test_a_compiled_step_follows_python_numbers_by_another_trace():
    step = nnx.jit(lambda loss: loss(X, LABELS, neighbor_indices=INDICES))
    loss = losses.BatchMixingLoss()
    for t in SCHEDULE[:2]:
        loss.temperature = t
        expected = FUNCTIONS["temperature of batch mixing"](t)
        assert float(step(loss)) == pytest.approx(float(expected), rel=1e-13)


def test_an_array_given_to_the_constructor_is_data_as_an_assigned_one():
    loss = losses.BatchMixingLoss(temperature=jnp.asarray(2.0))
    assert len(jax.tree.leaves(nnx.state(loss))) == 1
    slope = jax.grad(lambda loss: loss(X, LABELS, neighbor_indices=INDICES))(loss).temperature
    expected = jax.grad(FUNCTIONS["temperature of batch mixing"])(2.0)
    assert float(slope) == pytest.approx(float(expected), rel=1e-13)


def test_a_traced_number_may_be_assigned():
    @jax.jit
    def value(t):
        loss = losses.BatchMixingLoss()
        loss.temperature = t
        return loss(X, LABELS, neighbor_indices=INDICES)

    expected = FUNCTIONS["temperature of batch mixing"](2.0)
    assert float(value(2.0)) == pytest.approx(float(expected), rel=1e-13)
