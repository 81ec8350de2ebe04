"""The modules: the function of their configuration, no arrays, no recompilation."""

import pickle

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from benchmarks.catalog.cases import CATALOG
from diffbio import losses
from diffbio.functional import velocity_consistency_loss, velocity_transition_loss
from diffbio.losses import singlecell_losses
from tests.inputs import draw, every_case

pytestmark = pytest.mark.usefixtures("compiled_quickly")

MODULES = [
    losses.BatchMixingLoss,
    losses.ClusteringCompactnessLoss,
    losses.VelocityConsistencyLoss,
    losses.ShannonDiversityLoss,
    losses.SimpsonDiversityLoss,
]
WITH_MODULE = every_case(cases=[c for c in CATALOG if c.module is not None])


@WITH_MODULE
def test_module_equals_function(case):
    arrays = draw(case, "random", 40)
    assert float(case.module(**arrays)) == pytest.approx(float(case.loss(**arrays)), rel=1e-14)


@pytest.mark.parametrize("module", MODULES, ids=lambda module: module.__name__)
def test_modules_hold_no_arrays_and_survive_pickling(module):
    loss = module(rngs=nnx.Rngs(0))
    assert not jax.tree.leaves(nnx.state(loss))
    assert vars(pickle.loads(pickle.dumps(loss))).keys() == vars(loss).keys()
    assert module is getattr(singlecell_losses, module.__name__)


def test_equal_configurations_do_not_recompile():
    traces = 0

    @nnx.jit
    def step(loss, x, labels):
        nonlocal traces
        traces += 1
        return loss(x, labels)

    x, labels = jnp.zeros((20, 2)), jnp.zeros(20, int)
    for _ in range(3):
        step(losses.BatchMixingLoss(temperature=2.0), x, labels)
    assert traces == 1
    step(losses.BatchMixingLoss(temperature=3.0), x, labels)
    assert traces == 2


def test_gradient_through_a_model():
    model = nnx.Linear(6, 3, rngs=nnx.Rngs(0))
    features = jnp.asarray(np.random.default_rng(0).normal(size=(40, 6)))
    labels = jnp.arange(40) % 3
    loss = losses.BatchMixingLoss()
    gradients = nnx.grad(lambda m: loss(m(features), labels))(model)
    assert all(np.isfinite(g).all() and np.any(g != 0) for g in jax.tree.leaves(gradients)[1:])


def test_transition_weight_adds_its_term():
    x, v, f = jnp.asarray(np.random.default_rng(0).normal(size=(3, 40, 5)))
    loss = losses.VelocityConsistencyLoss(transition_weight=0.5, n_neighbors=7)(x, v, f)
    expected = velocity_consistency_loss(x, v, f) + 0.5 * velocity_transition_loss(
        x, v, n_neighbors=7
    )
    assert float(loss) == pytest.approx(float(expected), rel=1e-14)


def test_diversity_over_clusters_sees_imbalance_where_cells_do_not():
    one_cluster = jnp.zeros((30, 3)).at[:, 0].set(1.0)
    balanced = jnp.eye(3)[jnp.arange(30) % 3]
    shannon = losses.ShannonDiversityLoss()
    assert float(shannon(one_cluster)) == float(shannon(balanced)) == 0
    assert float(shannon(one_cluster, over="clusters")) == 0
    assert float(shannon(balanced, over="clusters")) == pytest.approx(np.log(3))
    simpson = losses.SimpsonDiversityLoss()
    assert float(simpson(balanced, over="clusters")) == pytest.approx(1 / 3)


@pytest.mark.parametrize("copied", [False, True])
@pytest.mark.parametrize(
    ("module", "name"),
    [(losses.BatchMixingLoss, "normalize"), (losses.VelocityConsistencyLoss, "n_neighbors")],
)
def test_a_setting_cannot_be_assigned(module, name, copied):
    loss = nnx.merge(*nnx.split(module())) if copied else module()
    with pytest.raises(AttributeError, match=f"{name} is a setting.*{name}=1"):
        setattr(loss, name, 1)


def test_proportions_may_be_assigned():
    x, labels = jnp.asarray(np.random.default_rng(0).normal(size=(40, 3))), jnp.arange(40) % 3
    loss = losses.BatchMixingLoss()
    uniform = float(loss(x, labels))
    loss.proportions = "observed"
    observed = losses.BatchMixingLoss(proportions="observed")(x, labels)
    assert float(loss(x, labels)) == float(observed) != uniform
