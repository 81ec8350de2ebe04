"""Measurements: complete, repeatable where they claim to be, and never lost half-way."""

import gc
import weakref
from dataclasses import replace

import jax
import numpy as np
import pytest

from benchmarks.catalog.cases import case
from benchmarks.catalog.lower_bounds import LOWER_BOUNDS
from benchmarks.measure.checkpoint import Measured
from benchmarks.measure.programs import (
    compile_cold,
    counters,
    program,
)
from benchmarks.measure.sweep.accuracy import (
    KeptSearch,
    differing_arrays,
    digest,
    neighbor_error,
    reference_errors,
    reference_results,
    relative_error,
)
from benchmarks.measure.sweep.determinism import compare_processes
from benchmarks.measure.sweep.measurement import check_gradient, measure_step
from benchmarks.measure.sweep.run import run_sweep
from benchmarks.measure.sweep.steps import Step
from benchmarks.measure.sweep.timing import measure_times, visit_in_turn
from benchmarks.measure.sweep.workbench import Workbench
from benchmarks.schema.metrics import METRICS
from benchmarks.schema.suite import DEVICES, TRANSFORMS
from diffbio.neighbors import nearest_neighbors

CPU = jax.devices("cpu")[0]


def prepared(name="simpson", transform="value_and_grad", n_cells=64):
    return program(case(name), transform, case(name).make_inputs(n_cells), CPU)


def test_counters_are_deterministic_and_complete():
    first, second = (counters(compile_cold(prepared("batch_mixing")).compiled) for _ in range(2))
    assert first == second
    assert None not in first.values()
    assert first["hlo_instructions"] > 10


def test_a_cold_compilation_takes_nothing_from_a_cache_and_leaves_nothing_in_it(tmp_path):
    before = jax.config.jax_compilation_cache_dir
    jax.config.update("jax_compilation_cache_dir", str(tmp_path))
    try:
        compile_cold(prepared())
        assert jax.config.jax_compilation_cache_dir == str(tmp_path)
    finally:
        jax.config.update("jax_compilation_cache_dir", before)
    assert not list(tmp_path.iterdir())


def test_the_fingerprint_sees_the_program_and_not_its_values():
    fingerprints = {
        transform: counters(compile_cold(prepared(transform=transform)).compiled)["hlo_fingerprint"]
        for transform in TRANSFORMS
    }
    assert len(set(fingerprints.values())) == 2


def measurements(step):
    """What a sweep does of a step, each with the workbench that it is handed."""
    return (
        lambda bench: measure_step(bench, step),
        lambda bench: compare_processes(bench, [step]),
        lambda bench: measure_times(bench, [step]),
    )


@pytest.mark.parametrize("name", [pytest.param("batch_mixing", marks=pytest.mark.slow), "shannon"])
def test_a_step_measures_every_metric(name):
    step = Step(case(name), "cpu", "simulated", 256)
    bench = Workbench()
    with jax.enable_x64(False):  # as the second process
        of_all = [measure(bench) for measure in measurements(step)]
    assert [ratio.transform for ratio in of_all[-1].ratios] == list(TRANSFORMS)
    found = [record for measured in of_all for record in measured.records]
    assert {r.status for r in found} == {"ok"}
    elsewhere = {"finite_difference_error", "import_seconds", "cold_compile_seconds"}
    elsewhere |= {"peak_memory_bytes", "peak_bytes_in_use", "steps_per_second", "loss_share"}
    elsewhere |= {"communicated_bytes", "messages", "ring_rounds"}
    everything = set(METRICS) - elsewhere
    if case(name).n_neighbors is None:
        everything -= {"neighbor_error", "block_size_error"}
    assert {r.metric for r in found} == everything
    assert all(r.value is not None for r in found)
    assert len({(r.benchmark, r.metric) for r in found}) == len(found)
    differing = {r.value for r in found if r.metric.startswith("differing")}
    assert differing == {0}


def test_another_process_is_another_one():
    catalogued = case("compactness")  # which the other process calls
    other = replace(catalogued, loss=lambda **arrays: 2 * catalogued.loss(**arrays))
    found = compare_processes(Workbench(), [Step(other, "cpu", "simulated", 64)]).records
    arrays = {record.transform: record.value for record in found}
    assert arrays == {"value": 1, "value_and_grad": 3}  # the value, and two gradients


def test_a_slow_program_gets_fewer_visits(monkeypatch):
    monkeypatch.setattr("benchmarks.measure.sweep.timing._SECONDS", 0.0)
    found = visit_in_turn({"slow": {"loss": lambda: None}}, np.random.default_rng(0))
    assert len(found["slow"]["loss"]) == 6


def test_an_absent_device_is_skipped_and_a_failure_recorded(monkeypatch):
    assert DEVICES == ("cpu", "gpu")
    if not any(device.platform == "gpu" for device in jax.devices()):
        skipped = measure_step(Workbench(), Step(case("shannon"), "gpu", "simulated", 256)).records
        assert [(r.status, r.value) for r in skipped] == [("skipped", None)] * 2
    monkeypatch.setattr("benchmarks.measure.sweep.workbench.compile_cold", lambda program: 1 / 0)
    monkeypatch.setattr(
        "benchmarks.measure.sweep.measurement.gradient_v_curve", lambda case, n_cells: 1 / 0
    )
    (record,), _, curves, *_ = check_gradient(case("shannon"))
    assert (record.status, record.value, record.dtype, curves) == ("failed", None, "float64", ())
    step = Step(case("shannon"), "cpu", "simulated", 80)
    for measured in (measure(Workbench()) for measure in measurements(step)):
        assert {(r.status, r.detail) for r in measured.records} == {
            ("failed", "ZeroDivisionError: division by zero")
        }
        assert [r.transform for r in measured.records] == list(TRANSFORMS)


def test_a_sweep_compiles_a_program_once_and_lets_it_go_after_its_times(tmp_path, monkeypatch):
    alive, left = [], []

    def watched(program):
        alive.extend(weakref.ref(array) for array in program.arrays.values())
        return compile_cold(program)

    monkeypatch.setattr("benchmarks.measure.sweep.workbench.compile_cold", watched)
    monkeypatch.setattr("benchmarks.measure.sweep.run.compare_processes", lambda *_: Measured([]))

    def see_what_is_left(_):
        gc.collect()
        left.extend(array for array in alive if array() is not None)
        return Measured([])

    monkeypatch.setattr("benchmarks.measure.sweep.run.check_gradient", see_what_is_left)  # the end
    run_sweep(tmp_path / "s.json", (64,), ["simpson"], real=False)
    assert (len(alive), left) == (2, [])


def test_one_that_fails_leaves_the_times_of_the_others(monkeypatch):
    steps = [Step(case(name), "cpu", "simulated", 80) for name in ("simpson", "shannon")]
    monkeypatch.delitem(LOWER_BOUNDS, case("simpson").lower_bound)
    found = measure_times(Workbench(), steps).records
    timed = {(r.loss, r.status) for r in found if r.metric == "call_seconds"}
    assert timed == {("simpson", "failed"), ("shannon", "ok")}


def test_the_reference_answers_the_same_with_its_search_done_before():
    entry = case("batch_mixing")
    arrays = entry.make_inputs(64)
    found = np.asarray(nearest_neighbors(arrays["embeddings"], entry.n_neighbors).indices)
    value, gradients = reference_results(entry, arrays, found)
    assert value == entry.reference(**arrays)
    expected = entry.reference_gradients(**arrays)
    assert relative_error(gradients["embeddings"], expected["embeddings"]) == 0


@pytest.mark.parametrize(
    ("expected", "found", "error"),
    [(2.0, 2.002, 1e-3), (-0.002, -0.002002, 1e-3), (4e-5, 4.1e-5, 1e-3), (0.0, 1e-6, 1e-3)],
)
def test_values_are_held_against_themselves_and_near_zero_to_an_absolute_error(
    expected, found, error
):
    assert reference_errors((expected, {}), found, {})["value_error"] == pytest.approx(error)


def test_a_digest_sees_every_bit_and_the_place_of_an_array():
    first = {"a": np.arange(3.0), "b": np.zeros(2)}
    assert digest(first) == digest({"b": np.zeros(2), "a": np.arange(3.0)})
    assert differing_arrays(first, first) == 0
    turned = {**first, "b": np.array([0.0, np.nextafter(0, 1)])}
    assert differing_arrays(first, turned) == 1
    assert digest(first) != digest(turned)


def test_neighbours_may_be_exchanged_at_a_tie_and_nowhere_else():
    points = np.array([[0.0], [1.0], [1.0 + 1e-9], [3.0], [7.0]])
    nearest = np.array([[1, 2], [2, 0], [1, 0], [2, 1], [3, 2]])
    assert neighbor_error(points, nearest) == 0
    assert neighbor_error(points[:, [0]], nearest[:, :1]) == 0
    tied = nearest.copy()
    tied[0] = 2, 1
    assert neighbor_error(points, tied[:, :1]) < 1e-8
    for wrong in ((1, 3), (1, 1), (0, 1)):
        exchanged = nearest.copy()
        exchanged[3] = wrong
        assert neighbor_error(points, exchanged) > 0.1, wrong


@pytest.mark.slow
def test_no_loss_traces_again_for_new_values():
    for entry in CATALOG:
        assert count_retraces(prepared(entry.name)) == 0, entry.name


def test_a_search_is_kept_for_the_latest_points_alone():
    searched = []

    def search(points, n_neighbors):
        searched.append((points, n_neighbors))
        return np.full((len(points), n_neighbors), len(searched))

    first, second = np.zeros((3, 2)), np.ones((3, 2))
    kept = KeptSearch(search)
    calls = [(first, 1), (first, 2), (first.copy(), 1), (second, 1), (first, 1)]
    assert [int(kept(*call)[0, 0]) for call in calls] == [1, 2, 1, 3, 4]
    kept.clear()
    assert not any(first is held for held in gc.get_referents(kept.__dict__))
