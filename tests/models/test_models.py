"""The models: one protocol, clear errors, and each the maths that it states."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from diffbio.models import BatchCorrector, IntegrationAutoencoder, SoftClusterer, VelocityModel

pytestmark = pytest.mark.usefixtures("compiled_quickly")

N_CELLS = 12
RNG = np.random.default_rng(0)
FEATURES = RNG.normal(size=(N_CELLS, 4)).astype(np.float32)
DATA = {
    "features": FEATURES,
    "batch_ids": np.arange(N_CELLS) % 3,
    "spliced": RNG.gamma(2, size=(N_CELLS, 4)).astype(np.float32),
    "unspliced": RNG.gamma(2, size=(N_CELLS, 4)).astype(np.float32),
}
MODELS = {
    "corrector": (
        lambda rngs: BatchCorrector(4, 3, rngs=rngs),
        {"corrected_features": (N_CELLS, 4)},
    ),
    "clusterer": (
        lambda rngs: SoftClusterer(4, 5, rngs=rngs),
        {"embeddings": (N_CELLS, 4), "cluster_assignments": (N_CELLS, 5)},
    ),
    "velocity": (lambda rngs: VelocityModel(4, rngs=rngs), {"velocity": (N_CELLS, 4)}),
    "autoencoder": (
        lambda rngs: IntegrationAutoencoder(4, 3, 5, n_embedding=2, rngs=rngs),
        {"embeddings": (N_CELLS, 2), "assignments": (N_CELLS, 5), "reconstructed": (N_CELLS, 4)},
    ),
}
EVERY_MODEL = pytest.mark.parametrize("name", MODELS)


def made(name):
    make, _ = MODELS[name]
    return make(nnx.Rngs(0))


@EVERY_MODEL
def test_apply_names_its_results_and_passes_state_and_metadata_through(name):
    state, metadata = object(), object()
    result, kept_state, kept_metadata = made(name).apply(DATA, state, metadata)
    assert {key: array.shape for key, array in result.items()} == MODELS[name][1]
    assert kept_state is state
    assert kept_metadata is metadata


@EVERY_MODEL
def test_a_model_ignores_arrays_that_it_does_not_need_and_names_those_it_lacks(name):
    model = made(name)
    model.apply({key: DATA[key] for key in model.inputs}, {}, None)
    for lacking in model.inputs:
        rest = {key: array for key, array in DATA.items() if key != lacking}
        with pytest.raises(ValueError, match=f"data needs '{lacking}' for {type(model).__name__}"):
            model.apply(rest, {}, None)


@EVERY_MODEL
def test_compiled_equals_eager(name):
    eager = made(name).apply(DATA, {}, None)[0]
    compiled = nnx.jit(lambda model, data: model.apply(data, {}, None)[0])(made(name), DATA)
    for key, array in eager.items():
        np.testing.assert_allclose(array, compiled[key], rtol=1e-5, atol=1e-6)


BAD = {
    "flat features": (
        "corrector",
        {"features": FEATURES[0]},
        ValueError,
        "features must have shape",
    ),
    "wide features": (
        "clusterer",
        {"features": FEATURES[:, :3]},
        ValueError,
        "n_features=4 columns",
    ),
    "integer features": ("corrector", {"features": FEATURES.astype(int)}, TypeError, "features"),
    "float batches": ("autoencoder", {"batch_ids": FEATURES[:, 0]}, TypeError, "batch_ids"),
    "unknown batch": (
        "corrector",
        {"batch_ids": np.full(N_CELLS, 3)},
        ValueError,
        "batch_ids must",
    ),
    "fewer batches": ("corrector", {"batch_ids": np.zeros(3, int)}, ValueError, "n_cells"),
    "fewer cells": ("velocity", {"spliced": DATA["spliced"][:5]}, ValueError, "n_cells"),
    "fewer genes": ("velocity", {"unspliced": FEATURES[:, :2]}, ValueError, "n_genes=4 columns"),
}


@pytest.mark.usefixtures("only_our_checks")
@pytest.mark.parametrize("what", BAD)
def test_bad_input_is_refused_by_name(what):
    name, changed, error, message = BAD[what]
    with pytest.raises(error, match=message):
        made(name).apply({**DATA, **changed}, {}, None)


def test_the_corrector_starts_as_the_identity_and_then_moves_batches_apart():
    model = made("corrector")
    assert np.array_equal(model.apply(DATA, {}, None)[0]["corrected_features"], FEATURES)
    model.shift.out.kernel[...] = jnp.ones_like(model.shift.out.kernel[...])
    same = {"features": np.tile(FEATURES[:1], (3, 1)), "batch_ids": np.arange(3)}
    corrected = model.apply(same, {}, None)[0]["corrected_features"]
    assert len(np.unique(np.round(corrected[:, 0], 5))) == 3


@pytest.mark.parametrize(
    ("name", "key"), [("clusterer", "cluster_assignments"), ("autoencoder", "assignments")]
)
def test_assignments_are_shares_and_highest_at_the_nearest_prototype(name, key):
    model = made(name)
    result = model.apply(DATA, {}, None)[0]
    np.testing.assert_allclose(result[key].sum(axis=1), 1, rtol=1e-6)
    distances = jnp.sum((result["embeddings"][:, None] - model.prototypes.points[...]) ** 2, axis=2)
    assert np.array_equal(result[key].argmax(axis=1), distances.argmin(axis=1))


def with_random_parameters(name):
    """A model none of whose parameters has the value that it starts with."""
    model, rng = made(name), np.random.default_rng(1)
    drawn = jax.tree.map(
        lambda array: jnp.asarray(0.5 * rng.normal(size=array.shape), array.dtype),
        nnx.state(model, nnx.Param),
    )
    nnx.update(model, drawn)
    return model


def layers(hidden, out, x):
    """Two linear layers with a ReLU between them, in float64."""
    weights = [np.float64(p[...]) for p in (hidden.kernel, hidden.bias, out.kernel, out.bias)]
    return np.maximum(x @ weights[0] + weights[1], 0) @ weights[2] + weights[3]


def memberships(prototypes, embeddings):
    """The softmax over clusters of minus the precision times the squared distance."""
    points = np.float64(prototypes.points[...])
    squares = ((embeddings[:, None] - points) ** 2).sum(axis=2)
    weights = np.exp(-np.exp(np.float64(prototypes.log_precision[...])) * squares)
    return weights / weights.sum(axis=1, keepdims=True)


X, BATCHES = np.float64(FEATURES), np.eye(3)[DATA["batch_ids"]]


def corrector(model):
    inputs = np.hstack([X, BATCHES])
    return {"corrected_features": X + layers(model.shift.hidden, model.shift.out, inputs)}


def clusterer(model):
    embeddings = X + layers(model.shift.hidden, model.shift.out, X)
    found = memberships(model.prototypes, embeddings)
    return {"embeddings": embeddings, "cluster_assignments": found}


def velocity(model):
    splicing, degradation = (
        np.exp(np.float64(rates[...])) for rates in (model.log_splicing, model.log_degradation)
    )
    return {"velocity": splicing * DATA["unspliced"] - degradation * DATA["spliced"]}


def autoencoder(model):
    def ends(part):
        return part.layers[0], part.layers[2]

    embeddings = layers(*ends(model.encoder), np.hstack([X, BATCHES]))
    return {
        "embeddings": embeddings,
        "assignments": memberships(model.prototypes, embeddings),
        "reconstructed": layers(*ends(model.decoder), np.hstack([embeddings, BATCHES])),
    }


@pytest.mark.parametrize("formula", [corrector, clusterer, velocity, autoencoder])
def test_a_model_is_the_formula_that_it_states(formula):
    model = with_random_parameters(formula.__name__)
    # A GPU rounds what its products multiply to 11 bits, unless it is told not to.
    with jax.default_matmul_precision("highest"):
        result, expected = model.apply(DATA, {}, None)[0], formula(model)
    for key, array in expected.items():
        np.testing.assert_allclose(result[key], array, rtol=2e-5, atol=1e-5)


def test_the_steady_state_is_fitted_to_the_cells_at_the_ends_alone():
    spliced = np.tile(np.linspace(0.0, 1, 101, dtype=np.float32)[:, None], (1, 4))
    unspliced = 0.5 * spliced
    unspliced[10:90] /= 2  # on the way: cells with neither the least nor the most of the gene
    model = made("velocity")
    model.fit_steady_state(spliced, unspliced)
    np.testing.assert_allclose(jnp.exp(model.log_degradation[...]), 0.5, rtol=1e-5)


def test_velocity_is_zero_in_the_steady_state_that_was_fitted():
    ratios = np.array([0.2, 1.0, 3.0, 0.5], np.float32)
    steady = {"spliced": DATA["spliced"], "unspliced": ratios * DATA["spliced"]}
    model = made("velocity")
    model.fit_steady_state(**steady)
    np.testing.assert_allclose(model.apply(steady, {}, None)[0]["velocity"], 0, atol=1e-5)
    induced = {**steady, "unspliced": 2 * steady["unspliced"]}
    assert np.all(model.apply(induced, {}, None)[0]["velocity"] > 0)


def test_genes_without_counts_leave_the_rates_finite():
    model = made("velocity")
    model.fit_steady_state(np.zeros((5, 4), np.float32), np.zeros((5, 4), np.float32))
    assert np.all(np.isfinite(model.log_degradation[...]))
    assert np.all(np.isfinite(jax.tree.leaves(nnx.state(model))[0]))
