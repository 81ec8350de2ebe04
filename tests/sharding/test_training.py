"""Training on a mesh: the losses of one device, less memory, and checkpoints that move."""

import functools

import jax
import numpy as np
import pytest
from flax import nnx
from jax.sharding import Mesh

from diffbio.training import Update, fit
from diffbio.training._minibatches import minibatches
from diffbio.training._placement import placement
from tests.sharding.losses import mesh_of
from tests.sharding.trainings import TRAININGS
from tests.tiers import tiered

pytestmark = pytest.mark.usefixtures("compiled_quickly")

N_STEPS = 30
# `make test` takes the model that compiles fastest.
EVERY_MODEL = pytest.mark.parametrize("name", tiered(TRAININGS, quick=["velocity model"]))


def trained(name, mesh=None, *, mesh_of_losses=None, **changed):
    """The model and the losses; the minibatches are no multiple of 4, nor are all cells."""
    training = TRAININGS[name]
    model, objective = training.model(), training.objective(mesh_of_losses)
    options = {"n_steps": N_STEPS, "batch_size": 30, "learning_rate": 1e-2, **changed}
    return model, fit(model, training.data, objective, progress=False, mesh=mesh, **options).losses


@functools.cache
def losses_of_one_device(name):
    return trained(name)[1]


def assert_same_losses(found, name):
    expected = losses_of_one_device(name)
    assert np.abs(expected[-1] - expected[0]) > 0.05 * np.abs(expected[0])
    np.testing.assert_allclose(found, expected, rtol=1e-5)


@pytest.mark.parametrize("n_devices", tiered([2, 4], quick=[4]))
@EVERY_MODEL
def test_the_losses_are_those_of_one_device(name, n_devices):
    mesh = mesh_of(n_devices)
    assert_same_losses(trained(name, mesh, mesh_of_losses=mesh)[1], name)


@EVERY_MODEL
def test_an_objective_of_one_device_gives_them_too(name):
    mesh = jax.make_mesh((4,), ("cells",), devices=jax.devices()[:4])  # its axes are explicit
    assert_same_losses(trained(name, mesh)[1], name)


def test_devices_along_other_axes_repeat_the_work():
    mesh = Mesh(np.array(jax.devices()).reshape(2, 4), ("copies", "cells"))
    assert_same_losses(trained("velocity model", mesh)[1], "velocity model")


def test_the_same_arguments_give_the_same_bits_and_the_model_is_back_on_its_device():
    model, losses = trained("velocity model", mesh_of(2))
    again, same_losses = trained("velocity model", mesh_of(2))
    assert losses.tobytes() == same_losses.tobytes()
    pairs = zip(*(jax.tree.leaves(nnx.state(one)) for one in (model, again)), strict=True)
    for leaf, same_leaf in pairs:
        assert np.asarray(leaf).tobytes() == np.asarray(same_leaf).tobytes()
        assert leaf.devices() == {jax.devices()[0]}


@pytest.mark.parametrize("n_devices", tiered([(1, 2), (2, 1), (4, 2)], quick=[(4, 2)]))
def test_a_training_goes_on_on_another_number_of_devices(n_devices, tmp_path):
    name, (first, second) = "velocity model", (n if n > 1 else None for n in n_devices)
    begun, whole = (
        trained(name, n and mesh_of(n), checkpoint=tmp_path, n_steps=n_steps)[1]
        for n, n_steps in ((first, 11), (second, N_STEPS))
    )
    assert whole[:11].tobytes() == begun.tobytes()
    assert_same_losses(whole, name)


OTHERS = {
    "seed": {"seed": 1},
    "learning rate": {"learning_rate": 2e-2},
    "batch size": {"batch_size": 31},
}


def test_another_training_is_refused_on_another_number_of_devices_too(tmp_path):
    trained("velocity model", n_steps=2, checkpoint=tmp_path)
    for differing, changed in OTHERS.items():
        with pytest.raises(ValueError, match=f"holds another training .*{differing}"):
            trained("velocity model", mesh_of(2), checkpoint=tmp_path, **changed)
    training = TRAININGS["velocity model"]
    with pytest.raises(ValueError, match=r"holds another training \(first loss was 0\.1.*is 0\.3"):
        fit(
            training.model(),
            training.data,
            lambda *arguments: 2 * training.objective(None)(*arguments),
            batch_size=30,
            learning_rate=1e-2,
            checkpoint=tmp_path,
            mesh=mesh_of(2),
            progress=False,
        )


def test_a_mesh_needs_an_axis_of_cells():
    mesh = Mesh(np.array(jax.devices()[:2]), ("devices",))
    with pytest.raises(ValueError, match="mesh must have an axis 'cells', its axes are 'devices'"):
        trained("velocity model", mesh)


@pytest.mark.slow
def test_each_device_needs_its_share_of_the_memory():
    training, n_cells = TRAININGS["soft clusterer"], 1 << 15
    cells = {name: np.resize(a, (n_cells, *a.shape[1:])) for name, a in training.data.items()}
    first = next(minibatches(n_cells, n_cells, 0))

    def bytes_per_device(mesh):
        placed = placement(cells, mesh)
        step = Update(training.model(), training.objective(mesh), 1e-3)
        lowered = jax.jit(step.update, out_shardings=placed.result).lower(
            placed.model(step.leaves), *placed.minibatch(*first)
        )
        needed = lowered.compile().memory_analysis()
        return needed.temp_size_in_bytes, needed.argument_size_in_bytes

    one, eight = np.array(bytes_per_device(None)), np.array(bytes_per_device(mesh_of(8)))
    assert (eight <= one / 6).all()
