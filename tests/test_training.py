"""Training: what fit promises of minibatches, bits, errors and checkpoints."""

import itertools
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx
from jax.sharding import Mesh

from diffbio.models import BatchCorrector
from diffbio.training import _fit, fit
from diffbio.training._minibatches import minibatches

pytestmark = pytest.mark.usefixtures("compiled_quickly")

N_CELLS = 23
RNG = np.random.default_rng(0)
DATA = {
    "features": RNG.normal(size=(N_CELLS, 3)).astype(np.float32),
    "batch_ids": np.arange(N_CELLS) % 2,
}
QUICK = {"batch_size": 8, "n_steps": 7, "learning_rate": 1e-2, "progress": False}


def spread(result, batch, where):
    """Something smooth to minimise that every cell has a share in."""
    return jnp.sum(where * jnp.sum(result["corrected_features"] ** 2, axis=1)) / jnp.sum(where)


def corrector(seed=0):
    return BatchCorrector(3, 2, n_hidden=4, rngs=nnx.Rngs(seed))


def bits(model):
    return b"".join(np.asarray(leaf).tobytes() for leaf in jax.tree.leaves(nnx.state(model)))


def trained(data=DATA, objective=spread, seed_of_model=0, **changed):
    model = corrector(seed_of_model)
    history = fit(model, data, objective, **{**QUICK, **changed})
    return model, history


def test_training_lowers_the_objective_and_records_every_step():
    _, history = trained(n_steps=60)
    assert history.losses.shape == (60,)
    assert history.losses[-6:].mean() < 0.7 * history.losses[:6].mean()
    assert history.seconds > 0


def test_the_same_arguments_give_the_same_bits_and_another_seed_others():
    (one, first), (two, second), (other, _) = trained(), trained(), trained(seed=1)
    assert bits(one) == bits(two)
    assert first.losses.tobytes() == second.losses.tobytes()
    assert bits(one) != bits(other)


def test_an_epoch_visits_every_cell_once_and_the_next_in_another_order():
    batches = minibatches(N_CELLS, 8, 0)
    epochs = [[next(batches) for _ in range(3)] for _ in range(2)]
    orders = [np.concatenate([rows[where] for rows, where in epoch]) for epoch in epochs]
    for order in orders:
        assert sorted(order) == list(range(N_CELLS))
    assert not np.array_equal(*orders)
    assert all(rows.shape == where.shape == (8,) for epoch in epochs for rows, where in epoch)


@pytest.mark.parametrize("first", [1, 3, 5])
def test_minibatches_go_on_where_they_stopped(first):
    whole, rest = minibatches(N_CELLS, 8, 0), minibatches(N_CELLS, 8, 0, first)
    for _ in range(first):
        next(whole)
    for _ in range(7):
        for one, other in zip(next(whole), next(rest), strict=True):
            assert np.array_equal(one, other)


@pytest.mark.parametrize("batch_size", [8, N_CELLS, 1000])
def test_the_objective_is_traced_once(batch_size):
    traced = []

    def objective(result, batch, where):
        traced.append(where.shape)
        return spread(result, batch, where)

    trained(objective=objective, batch_size=batch_size)
    assert traced == [(min(batch_size, N_CELLS),)]


def test_a_whole_batch_equals_gradient_descent_on_all_cells():
    _, history = trained(batch_size=1000, n_steps=1)
    assert history.losses[0] == pytest.approx(np.mean(np.sum(DATA["features"] ** 2, axis=1)))


@pytest.mark.parametrize("step", [0, 3, 6])
def test_a_loss_that_is_not_finite_stops_with_its_step_and_leaves_the_model_alone(step):
    row = np.arange(N_CELLS, dtype=np.int32)
    rows, where = _first(minibatches(N_CELLS, 8, 0), 7)[step]
    unlucky = np.sort(np.where(where, rows, N_CELLS))

    def objective(result, batch, where):
        here = jnp.sort(jnp.where(where, batch["row"], N_CELLS))
        return jnp.where(jnp.all(here == unlucky), jnp.nan, 1.0) * spread(result, batch, where)

    model = corrector()
    before = bits(model)
    with pytest.raises(FloatingPointError, match=f"step {step} "):
        fit(model, {**DATA, "row": row}, objective, **QUICK)
    assert bits(model) == before


def _first(iterator, count):
    return [next(iterator) for _ in range(count)]


def test_an_infinite_gradient_of_the_last_step_is_no_result():
    def objective(result, batch, where):
        return jnp.sum(jnp.sqrt(jnp.abs(result["corrected_features"] - batch["features"])))

    with pytest.raises(FloatingPointError, match=r"step 0 .*gradient"):
        trained(objective=objective, n_steps=1)


BAD = {
    "no data": ({"data": {}}, ValueError, "at least one array"),
    "disagreeing cells": ({"data": {**DATA, "more": np.ones(3)}}, ValueError, "n_cells"),
    "a missing array": ({"data": {"features": DATA["features"]}}, ValueError, "'batch_ids'"),
    "a batch too many": (
        {"data": {**DATA, "batch_ids": 1 + DATA["batch_ids"]}}, ValueError, "batch_ids must lie",
    ),
    "no names": ({"data": DATA["features"]}, TypeError, "data must map names to arrays, got nda"),
    "a place of numbers": ({"checkpoint": 5}, TypeError, "checkpoint must be the path of a folder"),
    "nobody's home": ({"checkpoint": "~nobody-here/x"}, ValueError, "checkpoint='~nobody-here/x'"),
    "words": ({"data": {**DATA, "names": np.full(N_CELLS, "a")}}, TypeError, "names"),
    "no steps": ({"n_steps": 0}, ValueError, "n_steps"),
    "no batch": ({"batch_size": 0}, ValueError, "batch_size"),
    "no rate": ({"learning_rate": 0}, ValueError, "learning_rate"),
    "no bar by a word": ({"progress": "no"}, TypeError, "progress must be True or False"),
    "negative seed": ({"seed": -1}, ValueError, "seed"),
}  # fmt: skip


@pytest.mark.usefixtures("only_our_checks")
@pytest.mark.parametrize("what", BAD)
def test_bad_arguments_are_refused_by_name(what):
    changed, error, message = BAD[what]
    with pytest.raises(error, match=message):
        trained(**changed)


@pytest.mark.parametrize("on_mesh", [False, True], ids=["", "on a mesh"])
@pytest.mark.parametrize("shift", [2**32, -(2**32), 2**31])
@pytest.mark.parametrize("entry", ["batch_ids", "more"])
def test_integers_that_do_not_fit_are_refused_by_name_and_never_wrap(entry, shift, on_mesh):
    mesh = Mesh(np.array(jax.devices()[:1]), ("cells",)) if on_mesh else None
    wide = DATA["batch_ids"] + shift * (np.arange(N_CELLS) == N_CELLS - 1)
    with jax.enable_x64(False), pytest.raises(ValueError, match=rf"data\['{entry}'\].*int32"):
        trained(data={**DATA, entry: wide}, mesh=mesh)


@pytest.mark.parametrize("dtype", ["int8", "uint8", "uint32", "int64", "uint64", ">i8"])
def test_integers_that_fit_mean_the_same_in_every_type(dtype):
    with jax.enable_x64(False):
        _, expected = trained()
        _, found = trained(data={**DATA, "batch_ids": DATA["batch_ids"].astype(dtype)})
    assert found.losses.tobytes() == expected.losses.tobytes()


def test_a_path_may_begin_with_the_users_home(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    for folder in ("~/one", Path("~/two")):
        trained(n_steps=1, checkpoint=folder)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["one", "two"]


def test_the_trained_model_is_no_model_to_go_on_from_and_the_error_says_what_is(tmp_path):
    model, _ = trained(n_steps=2, checkpoint=tmp_path)
    before = bits(model)
    with pytest.raises(
        ValueError, match=r"initial model .*before the first step.*trained"
    ) as error:
        fit(model, DATA, spread, **QUICK | {"n_steps": 4, "checkpoint": tmp_path})
    assert bits(model) == before
    # What the message says works: a model made anew, or another folder.
    longer, _ = trained(n_steps=4, checkpoint=tmp_path)
    assert bits(longer) == bits(trained(n_steps=4)[0])
    assert "another folder" in str(error.value)
    fit(model, DATA, spread, **QUICK | {"n_steps": 4, "checkpoint": tmp_path / "further"})


def test_a_finished_checkpoint_returns_at_once_and_a_longer_training_goes_on(tmp_path, monkeypatch):
    whole, history = trained(n_steps=9)
    trained(n_steps=5, checkpoint=tmp_path)
    longer, resumed = trained(n_steps=9, checkpoint=tmp_path)
    assert bits(longer) == bits(whole)
    assert resumed.losses.tobytes() == history.losses.tobytes()
    monkeypatch.setattr(_fit, "_train", None)
    again, ended = trained(n_steps=9, checkpoint=tmp_path)
    assert bits(again) == bits(whole)
    assert ended.seconds == resumed.seconds
    with pytest.raises(ValueError, match="n_steps=4"):
        trained(n_steps=4, checkpoint=tmp_path)


def test_the_seconds_of_a_resumed_training_are_those_of_all_its_parts(tmp_path, monkeypatch):
    ticks = itertools.count()
    monkeypatch.setattr(_fit.time, "perf_counter", lambda: float(next(ticks)))
    _, first = trained(n_steps=9, checkpoint=tmp_path)
    _, resumed = trained(n_steps=10, checkpoint=tmp_path)
    assert resumed.seconds > first.seconds  # the last step alone takes fewer ticks


@pytest.mark.parametrize(
    ("objective", "found"),
    [
        (lambda result, *_: result["corrected_features"][:, 0], "float32"),
        (lambda *_: jnp.int32(1), "int32"),
        (lambda *_: None, "NoneType"),
        (lambda *a: (spread(*a), 1), "tuple"),
    ],
)
def test_an_objective_that_cannot_be_minimised_is_refused_by_what_it_returned(objective, found):
    with pytest.raises(TypeError, match=f"objective must return a floating scalar, got {found}"):
        trained(objective=objective)


@pytest.mark.usefixtures("only_our_checks")
def test_what_is_no_model_and_a_file_in_the_folder_s_place_are_refused_at_once(tmp_path):
    for other in (object(), nnx.Linear(2, 3, rngs=nnx.Rngs(0))):
        with pytest.raises(TypeError, match=f"with an apply method, got {type(other).__name__}"):
            fit(other, DATA, spread, progress=False)
    (tmp_path / "file").write_text("mine")
    with pytest.raises(ValueError, match="checkpoint must be a folder"):
        trained(checkpoint=tmp_path / "file")
    assert (tmp_path / "file").read_text() == "mine"


OTHERS = {
    "seed": {"seed": 1},
    "data": {"data": {**DATA, "features": 2 * DATA["features"]}},
    "initial model": {"seed_of_model": 1},
    "program": {"learning_rate": 2e-2},
    "program of a step": {"objective": lambda *a: 2 * spread(*a)},
}


def test_a_checkpoint_of_another_training_is_refused_by_what_differs(tmp_path):
    trained(n_steps=2, checkpoint=tmp_path)
    for differing, changed in OTHERS.items():
        with pytest.raises(ValueError, match=f"holds another training .*{differing}"):
            trained(n_steps=2, checkpoint=tmp_path, **changed)


KILLED = """
import os, sys, json
from tests import test_training as t
t._fit.SECONDS_BETWEEN_CHECKPOINTS = 0.0
print("ready", flush=True)
model, history = t.trained(n_steps=int(sys.argv[2]), checkpoint=sys.argv[1])
print(json.dumps([t.bits(model).hex(), history.losses.tobytes().hex()]))
"""


def _run_killed(folder, n_steps, delay):
    run = subprocess.Popen(
        [sys.executable, "-c", KILLED, str(folder), str(n_steps)],
        stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
    )  # fmt: skip
    if delay is not None:
        deadline = time.monotonic() + 60
        while not any(folder.glob("[0-9]*")) and time.monotonic() < deadline:
            time.sleep(0.005)
        time.sleep(delay)
        os.kill(run.pid, signal.SIGKILL)
    return run.communicate()[0]


@pytest.mark.slow
def test_a_training_killed_at_any_moment_resumes_to_the_same_bits(tmp_path):
    whole = _run_killed(tmp_path / "whole", 40, None).splitlines()[-1]
    folder = tmp_path / "killed"
    for delay in (0.0, 0.013, 0.1, 0.27, 0.41):
        assert "[" not in _run_killed(folder, 40, delay)
    assert json.loads(_run_killed(folder, 40, None).splitlines()[-1]) == json.loads(whole)
