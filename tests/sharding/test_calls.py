"""How a sharded loss is called: its arguments, its errors, and where its arrays may lie."""

import contextlib
import inspect

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax
from jax.sharding import AxisType, Mesh, NamedSharding, PartitionSpec
from jaxtyping import Array, Bool, Float

from diffbio import functional
from diffbio.functional import shannon_diversity, velocity_consistency_loss
from diffbio.losses import ClusteringCompactnessLoss, ShannonDiversityLoss
from diffbio.sharding import sharded
from tests.functional import test_errors
from tests.sharding.losses import mesh_of
from tests.tiers import tiered

pytestmark = pytest.mark.usefixtures("compiled_quickly")

A = np.random.default_rng(0).dirichlet(np.ones(4), 64)
X, V, F = np.random.default_rng(1).normal(size=(3, 64, 5))


def root_mean_square(
    x: Float[Array, "n_cells dim"],
    scale: float = 1.0,
    *,
    power: int = 2,
    where: Bool[Array, " n_cells"] | None = None,
    axis_name: str | None = None,
) -> Float[Array, ""]:
    """A loss of a user: the root of the mean square of the counted cells' coordinates."""
    traces.append(axis_name)
    counted = jnp.ones(len(x), bool) if where is None else where
    total, n = jnp.sum(jnp.where(counted[:, None], (scale * x) ** power, 0)), jnp.sum(counted)
    if axis_name is not None:
        total, n = lax.psum((total, n), axis_name)
    return jnp.sqrt(total / (n * x.shape[1]))


traces = []


def test_the_signature_and_the_text_are_those_of_the_loss():
    over_all = sharded(velocity_consistency_loss, mesh_of(4))
    assert over_all.__doc__ == velocity_consistency_loss.__doc__
    assert over_all.__name__ == "velocity_consistency_loss"
    own, of_loss = map(inspect.signature, (over_all, velocity_consistency_loss))
    assert list(own.parameters) == [name for name in of_loss.parameters if name != "axis_name"]
    with pytest.raises(TypeError, match="axis_name"):
        over_all(X, V, F, axis_name="cells")
    assert list(inspect.signature(sharded(ShannonDiversityLoss(), mesh_of(4))).parameters) == [
        "assignments",
        "over",
        "where",
    ]


@pytest.mark.usefixtures("only_our_checks")
def test_errors_are_those_of_one_device(monkeypatch):
    names = [n for n in functional.__all__ if n[0].islower() and hasattr(test_errors, n)]
    assert len(names) == 7
    for name in names:
        over_all = sharded(getattr(functional, name), mesh_of(4))
        monkeypatch.setattr(test_errors, name, over_all)
    for call, error, message in test_errors.ERRORS:
        with pytest.raises(error, match=f"(?s){message}"):
            call()


def test_labels_of_arrays_that_are_split_already_are_checked():
    labels = jax.device_put(np.full(64, 7), NamedSharding(mesh_of(4), PartitionSpec("cells")))
    with pytest.raises(ValueError, match=r"batch_labels.*n_batches=3.*from 7 to 7"):
        sharded(functional.batch_mixing_loss, mesh_of(4))(X, labels)


def test_what_cannot_be_sharded_is_an_error_that_says_why():
    def without_axis_name(x: Float[Array, "n_cells dim"]) -> Array:
        return x

    def without_cells(x: Float[Array, "dim"], axis_name: str | None = None) -> Array:
        return x

    def without_mask(x: Float[Array, "n_cells dim"], axis_name: str | None = None) -> Array:
        return x

    with pytest.raises(ValueError, match="axis must be an axis of the mesh, one of 'cells', got"):
        sharded(shannon_diversity, mesh_of(4), "shards")
    with pytest.raises(TypeError, match="loss must accept axis_name"):
        sharded(without_axis_name, mesh_of(4))
    with pytest.raises(ValueError, match=r"annotated with a jaxtyping shape .* n_cells"):
        sharded(without_cells, mesh_of(4))
    with pytest.raises(ValueError, match=r"n_cells=61 must be a multiple .* no mask where"):
        sharded(without_mask, mesh_of(4))(X[:61])


def test_a_loss_of_a_user_is_traced_once_for_all_numbers():
    over_all = sharded(root_mean_square, mesh_of(4))
    traces.clear()
    for scale in (1.0, 2.0, np.float32(3), jnp.asarray(4.0)):
        expected = float(scale) * np.sqrt(np.mean(X**2))
        assert float(over_all(X, float(scale))) == pytest.approx(expected, rel=1e-6)
    assert traces.count("cells") == 1
    assert float(over_all(X[:61])) == pytest.approx(np.sqrt(np.mean(X[:61] ** 2)), rel=1e-12)


def test_an_assigned_number_reaches_the_next_call():
    loss = ClusteringCompactnessLoss()
    over_all = sharded(loss, mesh_of(4))
    for margin in (1.0, 8.0, jnp.asarray(2.0), jnp.asarray(4.0)):
        loss.min_separation = margin
        assert float(over_all(X, A)) == pytest.approx(float(loss(X, A)), rel=1e-12)


MESHES = {
    "automatic": lambda: mesh_of(8),
    "explicit": lambda: jax.make_mesh((8,), ("cells",), axis_types=(AxisType.Explicit,)),
    "two axes": lambda: Mesh(np.array(jax.devices()).reshape(2, 4), ("model", "cells")),
    "two explicit axes": lambda: jax.make_mesh((4, 2), ("cells", "model")),
}
PLACES = {
    "NumPy": lambda array, mesh: array,
    "one device": lambda array, mesh: jnp.asarray(array),
    "split": lambda array, mesh: jax.device_put(array, NamedSharding(mesh, PartitionSpec("cells"))),
    "everywhere": lambda array, mesh: jax.device_put(array, NamedSharding(mesh, PartitionSpec())),
}


@pytest.mark.parametrize("under_mesh", [False, True], ids=["", "under set_mesh"])
@pytest.mark.parametrize("kind", MESHES)
def test_arrays_may_lie_anywhere(kind, under_mesh):
    mesh = MESHES[kind]()
    expected = jax.value_and_grad(shannon_diversity)(jnp.asarray(A))
    with jax.set_mesh(mesh) if under_mesh else contextlib.nullcontext():
        loss = sharded(shannon_diversity, mesh)
        for place in PLACES.values():
            a = place(A, mesh)
            for call in (jax.value_and_grad(loss), jax.jit(jax.value_and_grad(loss))):
                jax.tree.map(
                    lambda x, y: np.testing.assert_allclose(x, y, 1e-13), call(a), expected
                )
            assert float(jax.jit(loss)(a)) == pytest.approx(float(expected[0]), rel=1e-13)


@pytest.mark.parametrize("under_mesh", [False, True], ids=["", "under set_mesh"])
@pytest.mark.parametrize("kind", tiered(MESHES, quick=["automatic", "two explicit axes"]))
def test_losses_of_cells_stay_split_and_are_cut_to_the_cells(kind, under_mesh):
    mesh = MESHES[kind]()
    loss = sharded(velocity_consistency_loss, mesh)
    with jax.set_mesh(mesh) if under_mesh else contextlib.nullcontext():
        assert loss(X, V, F, reduce=False).sharding.spec == PartitionSpec("cells")
        found = loss(X[:61], V[:61], F[:61], reduce=False)
    expected = velocity_consistency_loss(X[:61], V[:61], F[:61], reduce=False)
    np.testing.assert_allclose(found, expected, 1e-12)
