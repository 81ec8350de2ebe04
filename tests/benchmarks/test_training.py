"""Steps of trainings: what is measured, what the command prints, and what asv looks up."""

import json
import sys

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from click.testing import CliRunner

from benchmarks.__main__ import main
from benchmarks._asv import device_named
from benchmarks.bench_training import Training, trained_table
from benchmarks.catalog.trainings import ALL_TRAININGS, TrainingCase
from benchmarks.measure import training as measure
from benchmarks.schema.records import Status
from benchmarks.schema.suite import TRAINED_CELLS, TRAINING_PROGRAMS, TRAININGS
from diffbio.models import VelocityModel
from diffbio.training import Update

N_CELLS, N_GENES = 128, 64
RNG = np.random.default_rng(0)
DATA = {
    name: RNG.normal(size=(N_CELLS, N_GENES)).astype(np.float32)
    for name in ("spliced", "unspliced")
}


def light(result, batch, where):
    return jnp.sum(where * jnp.sum(result["velocity"] ** 2, axis=1))


def heavy(result, batch, where):
    """Some hundred times the time of the light one, however busy the machine."""

    def step(product, _):
        return jnp.tanh(product @ product.T), None

    product = result["velocity"].T @ result["velocity"] / 1e3
    product, _ = jax.lax.scan(step, product, length=300)
    return light(result, batch, where) + jnp.sum(product)


def toy(loss, objective):
    return TrainingCase("toy", lambda: VelocityModel(N_GENES), lambda: DATA, loss, objective)


@pytest.fixture
def measured(monkeypatch):
    """Measure a training that stands in for all of the catalog."""

    def of(loss, objective):
        monkeypatch.setattr(measure, "training", lambda name: toy(loss, objective))
        device = jax.devices("cpu")[0]
        return measure.measure_trainings(device, ["toy"], [N_CELLS], seconds=0.05)

    return of


def values(records):
    assert {record.status for record in records} == {Status.OK}
    return {record.metric: record.value for record in records}


def test_the_catalog_holds_the_trainings_that_the_suite_names():
    assert tuple(each.name for each in ALL_TRAININGS) == TRAININGS


def test_the_share_is_that_of_the_loss_in_the_step(measured):
    of_all, of_little = values(measured(heavy, heavy)), values(measured(light, heavy))
    assert 0 < 2 * of_little["loss_share"] < of_all["loss_share"] <= 1


def test_two_measurements_of_a_step_count_the_same_bytes(measured):
    first, second = values(measured(light, light)), values(measured(light, light))
    assert first["temp_bytes"] == second["temp_bytes"] > 0
    assert set(first) == set(second) == set(measure._COLUMNS)
    assert all(np.isfinite(value) and value > 0 for value in first.values())


def test_a_training_that_fails_takes_no_other_along(measured):
    (record,) = measured(light, lambda *arguments: 1 / 0)
    assert record.status == Status.FAILED
    assert "ZeroDivisionError" in measure._table([record])


def fake_figures(device, *arguments, **more):
    """A figure of every metric, for every training and size."""
    return [
        measure._record(name, n, device, metric, 2)
        for name in TRAININGS
        for n in TRAINED_CELLS
        for metric in measure._COLUMNS
    ]


def test_the_command_prints_every_model_at_every_size(monkeypatch, tmp_path):
    monkeypatch.setattr(measure, "measure_trainings", fake_figures)
    path = tmp_path / "steps.json"
    result = CliRunner().invoke(main, ["training", "--json", str(path)])
    assert result.exit_code == 0, result.output
    heading, *lines = result.stdout.splitlines()
    assert all(column in heading for column, _ in measure._COLUMNS.values())
    printed = [(name, int(n)) for name, n, *_ in map(str.split, lines)]
    assert printed == [(name, n) for name in TRAININGS for n in TRAINED_CELLS]
    rows = json.loads(path.read_text())["steps"]
    assert {row["benchmark"] for row in rows} == set(TRAINING_PROGRAMS)


def test_asv_looks_up_what_was_measured_and_skips_an_absent_device(monkeypatch):
    def only_cpu(name):
        if name == "gpu":
            raise NotImplementedError("no gpu here")
        return device_named(name)

    monkeypatch.setattr("benchmarks.bench_training.device_named", only_cpu)
    monkeypatch.setattr(measure, "measure_trainings", fake_figures)
    table = trained_table()
    where = (TRAINING_PROGRAMS[0], TRAINED_CELLS[0])
    assert Training().track_steps_per_second(table, *where, "cpu") == 2
    with pytest.raises(NotImplementedError, match="not measured"):
        Training().track_steps_per_second.setup(table, *where, "gpu")


def test_asv_skips_trainings_where_their_packages_are_missing(monkeypatch):
    for name in list(sys.modules):
        if name.startswith("diffbio.training") or name == "benchmarks.measure.training":
            monkeypatch.delitem(sys.modules, name)
    monkeypatch.delattr("benchmarks.measure.training")
    monkeypatch.setitem(sys.modules, "optax", None)
    assert trained_table() == {}


@pytest.mark.slow
@pytest.mark.parametrize("training", ALL_TRAININGS, ids=lambda training: training.name)
def test_every_training_of_the_catalog_lowers_its_objective(training):
    step = Update(training.model(), training.objective, 1e-2)
    cells, where = training.data(), np.ones(256, bool)
    update = jax.jit(step.update)
    leaves, losses = step.leaves, []
    for _ in range(20):
        leaves, (loss, finite) = update(leaves, cells, np.arange(256), where)
        losses.append(float(loss))
        assert finite
    assert losses[-1] < losses[0]
