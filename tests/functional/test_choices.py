"""One choice is one object: temperatures, settings, and the terms of the combined loss."""

from dataclasses import FrozenInstanceError, fields
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from diffbio.functional import (
    RECOMMENDED_MIXING,
    Local,
    Perplexity,
    batch_mixing_loss,
    clustering_compactness_loss,
    combined_loss,
)
from diffbio.functional._mixing.settings import BatchMixingSettings
from diffbio.functional._settings import Settings
from diffbio.losses import BatchMixingLoss, ClusteringCompactnessLoss
from diffbio.sharding import sharded
from tests.tiers import tiered

pytestmark = pytest.mark.usefixtures("compiled_quickly")

rng = np.random.default_rng(0)
X, A = rng.normal(size=(40, 3)), rng.dirichlet(np.ones(4), 40)
LABELS = np.arange(40) % 3
KINDS = {"number": lambda t: t, "local": Local, "perplexity": Perplexity}
MESH = jax.make_mesh((1,), ("cells",))


@pytest.mark.parametrize("kind", KINDS)
def test_the_kind_of_a_temperature_is_static_and_its_number_traced(kind):
    traces = []

    @jax.jit
    def loss(temperature):
        traces.append(temperature)
        return batch_mixing_loss(X, LABELS, temperature=temperature)

    found = {float(loss(KINDS[kind](number))) for number in (1.5, 2.0, 2.5)}
    assert (len(found), len(traces)) == (3, 1)


def test_two_kinds_are_two_programs():
    structures = {jax.tree.structure(KINDS[kind](2.0)) for kind in KINDS}
    assert len(structures) == 3
    assert jax.tree.structure(Local(2.0)) != jax.tree.structure(Perplexity(2.0))


@pytest.mark.parametrize("kind", KINDS)
def test_a_temperature_of_a_module_that_is_an_array_is_an_argument_of_the_program(kind):
    loss, traces = BatchMixingLoss(), []

    @nnx.jit
    def step(loss):
        traces.append(loss)
        return loss(X, LABELS)

    for number in (1.5, 2.0, 2.5):
        loss.temperature = KINDS[kind](jnp.asarray(number))
        expected = batch_mixing_loss(X, LABELS, temperature=KINDS[kind](number))
        assert float(step(loss)) == pytest.approx(float(expected), rel=1e-6)
    assert len(traces) == 1


def test_settings_are_frozen_equal_by_value_and_what_a_module_holds():
    settings = BatchMixingSettings.of(n_neighbors=np.int64(7), index="simpson")
    assert settings == BatchMixingLoss(n_neighbors=7, index="simpson").settings
    assert hash(settings) == hash(BatchMixingSettings(n_neighbors=7, index="simpson"))
    with pytest.raises(FrozenInstanceError):
        settings.n_neighbors = 8


@pytest.mark.parametrize("settings", Settings.__subclasses__(), ids=lambda kind: kind.__name__)
def test_settings_name_what_is_no_option_and_list_those_that_are(settings):
    names = [field.name for field in fields(settings)]
    with pytest.raises(TypeError, match=f"wrong is no option; there are {', '.join(names)}"):
        settings.of(wrong=1)


def test_the_recommended_loss_is_the_recommended_setting():
    x = rng.normal(size=(60, 3))
    labels = np.arange(60) % 2
    expected = batch_mixing_loss(x, labels, n_batches=2, **RECOMMENDED_MIXING)
    assert BatchMixingLoss.recommended(2)(x, labels) == expected
    normalized = BatchMixingLoss.recommended(2, normalize=True)(x, labels)
    assert float(normalized) == pytest.approx(float(expected) / np.log(2), rel=1e-6)


MIXING = {"n_neighbors": 5, "temperature": Perplexity(2.0), "proportions": "observed"}
TERMS = {
    "partial functions": (
        partial(batch_mixing_loss, **MIXING),
        partial(clustering_compactness_loss, min_separation=2.0),
    ),
    "modules": (BatchMixingLoss(**MIXING), ClusteringCompactnessLoss(min_separation=2.0)),
}


@pytest.mark.parametrize("over_devices", [False, True])
@pytest.mark.parametrize("kind", TERMS)
def test_the_terms_of_the_combined_loss_keep_their_own_options(kind, over_devices):
    mixing, compactness = TERMS[kind]
    combined = sharded(combined_loss, MESH) if over_devices else combined_loss
    where = np.arange(40) % 5 != 2
    parts = combined(X, LABELS, A, mixing=mixing, compactness=compactness, where=where)
    batch = batch_mixing_loss(X, LABELS, where=where, **MIXING)
    cluster = clustering_compactness_loss(X, A, where=where, min_separation=2.0)
    np.testing.assert_allclose(parts[1:3], [batch, cluster], rtol=1e-6)


def test_equal_partial_functions_are_one_program_over_devices(caplog):
    combined = sharded(combined_loss, MESH)

    def call(temperature):
        mixing = partial(batch_mixing_loss, n_neighbors=5, temperature=Local(temperature))
        return combined(X, LABELS, A, mixing=mixing).total

    call(1.0)
    with jax.log_compiles(), caplog.at_level("WARNING", logger="jax"):
        assert float(call(2.0)) != float(call(3.0))
    assert not [text for text in caplog.messages if "Finished XLA compilation" in text]


def _from_torch(mixing):
    torch = pytest.importorskip("torch")
    import diffbio.torch

    cells = [torch.tensor(array) for array in (X, LABELS, A)]
    cells[0].requires_grad_()
    return diffbio.torch.combined_loss(*cells, mixing=mixing).batch.item()


def _over_devices(mixing):
    return float(sharded(combined_loss, MESH)(X, LABELS, A, mixing=mixing).batch)


COMPILED = {"PyTorch": _from_torch, "devices": _over_devices}
OF_A_MODULE = {
    "module": lambda module: module,
    "partial": partial,
    "tree": jax.tree_util.Partial,
    "method": lambda module: module.__call__,
}


@pytest.mark.parametrize("compiled", COMPILED)
@pytest.mark.parametrize("form", tiered(OF_A_MODULE, quick=["module", "tree"]))
def test_a_number_assigned_to_a_module_reaches_the_next_call_of_a_term(form, compiled):
    module = BatchMixingLoss(n_neighbors=5)
    for temperature in (1.0, 5.0, jnp.asarray(2.0), jnp.asarray(4.0)):
        module.temperature = temperature
        found = COMPILED[compiled](OF_A_MODULE[form](module))
        assert found == pytest.approx(float(module(X, LABELS)), rel=1e-6)


@pytest.mark.parametrize("compiled", COMPILED)
def test_an_integer_and_an_equal_flag_are_two_programs(compiled):
    def term(x, labels, *, option, **options):
        loss = batch_mixing_loss(x, labels, n_neighbors=5, **options)
        return 2 * loss if option is True else loss

    one, true = (COMPILED[compiled](partial(term, option=option)) for option in (1, True))
    assert true == pytest.approx(2 * one)


@pytest.mark.parametrize("integer", [np.int64(4), jnp.asarray(4)], ids=["NumPy", "JAX"])
@pytest.mark.parametrize("compiled", COMPILED)
def test_an_integer_of_a_partial_function_is_static_in_every_form(integer, compiled):
    mixing = partial(batch_mixing_loss, n_neighbors=5, n_batches=4)
    found = COMPILED[compiled](partial(mixing, n_batches=integer))
    assert found == pytest.approx(float(mixing(X, LABELS)), rel=1e-6)


def test_a_term_may_return_a_number_of_python():
    parts = combined_loss(X, LABELS, A, mixing=lambda *cells, **options: 0.0)
    assert float(parts.total) == pytest.approx(0.5 * float(parts.cluster))
