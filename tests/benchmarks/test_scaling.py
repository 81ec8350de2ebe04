"""What a device holds, computes and sends: counted in programs over devices, and as formulas."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from benchmarks.catalog.cases import case
from benchmarks.measure.program_text.communication import Communication, communication_of
from benchmarks.measure.sweep.scaling import measure_scaling
from benchmarks.schema.records import Status
from benchmarks.schema.suite import MESHES, STRONG_SCALING
from tests.benchmarks.cost_model import COSTS, cost_of

# Losses without other temporaries hold the sums that they exchange.
EXCHANGED_BYTES = 64
BASELINES = sorted(Path("reports/baselines").glob("*.json"))
# A ring of three rounds that hands on two arrays; a sum of two arrays, and one of one device.
PROGRAM = """
%add (a: f32[], b: f32[]) -> f32[] {
  %a = f32[] parameter(0)
  %b = f32[] parameter(1)
  ROOT %sum = f32[] add(%a, %b)
}

%condition (state: (f32[8,5], pred[8])) -> pred[] {
  %state = (f32[8,5]{1,0}, pred[8]{0}) parameter(0)
  ROOT %on = pred[] constant(true)
}

%body (state.1: (f32[8,5], pred[8])) -> (f32[8,5], pred[8]) {
  %state.1 = (f32[8,5]{1,0}, pred[8]{0}) parameter(0)
  %x = f32[8,5]{1,0} get-tuple-element(%state.1), index=0
  %mask = pred[8]{0} get-tuple-element(%state.1), index=1
  %x.1 = f32[8,5]{1,0} collective-permute(%x), channel_id=1, source_target_pairs={{0,1},{1,0}}
  %mask.1 = pred[8]{0} collective-permute(%mask), channel_id=1, source_target_pairs={{0,1},{1,0}}
  ROOT %next = (f32[8,5]{1,0}, pred[8]{0}) tuple(%x.1, %mask.1)
}

ENTRY %main (x.2: f32[8,5], mask.2: pred[8], s: f32[], v: f32[5]) -> f32[16,5] {
  %x.2 = f32[8,5]{1,0} parameter(0)
  %mask.2 = pred[8]{0} parameter(1)
  %s = f32[] parameter(2)
  %v = f32[5]{0} parameter(3)
  %start = (f32[8,5]{1,0}, pred[8]{0}) tuple(%x.2, %mask.2)
  %loop = (f32[8,5]{1,0}, pred[8]{0}) while(%start), condition=%condition, body=%body, \
backend_config={"known_trip_count":{"n":"3"}}
  %sums = (f32[], f32[5]{0}) all-reduce(%s, %v), replica_groups={{0,1}}, to_apply=%add
  %alone = f32[5]{0} all-reduce(%v), replica_groups={{0}}, to_apply=%add
  ROOT %all = f32[16,5]{1,0} all-gather(%x.2), replica_groups={{0,1}}, dimensions={0}
}
"""


def test_every_round_counts_every_array():
    ring = Communication(3 * (160 + 8), 3 * 2, 3)
    sums = Communication(4 + 20, 2)
    gathered = Communication(320, 1)
    assert communication_of(PROGRAM) == ring + sums + gathered


def test_a_loop_of_unknown_length_counts_as_its_least():
    text = PROGRAM.replace("known_trip_count", "unknown_trip_count")
    assert communication_of(text) == Communication(4 + 20 + 320, 3)


def assert_as_modelled(program, found):
    """The bounds that ``docs/cost_model.md`` states."""
    loss, n_cells, mesh = program
    cost = cost_of(loss, n_cells, MESHES[mesh])
    for metric in ("communicated_bytes", "messages", "ring_rounds"):
        assert found[metric] == getattr(cost, metric), (program, metric)
    alone = MESHES[mesh] == 1
    # The far ends that lie in a visiting piece are worked on in a loop of unknown length.
    if alone or loss != "batch_mixing_precomputed":
        assert found["flops"] == pytest.approx(cost.flops, rel=0.02), program
    if not alone:
        assert 0.75 * cost.temp_bytes <= found["temp_bytes"] <= cost.temp_bytes, program


def counters_of(path):
    """What the gate holds of programs over devices, by loss, cells and devices."""
    found = {}
    for benchmark, _, n_cells, mesh, metric, value in json.loads(path.read_text())["rows"]:
        if mesh in MESHES:
            found.setdefault((benchmark.split(":")[0], n_cells, mesh), {})[metric] = value
    return found


@pytest.mark.parametrize("path", BASELINES, ids=lambda path: path.stem)
def test_the_counters_of_the_baseline_are_those_of_the_formulas(path):
    found = counters_of(path)
    assert {loss for loss, *_ in found} == set(COSTS)
    for program, metrics in found.items():
        assert_as_modelled(program, metrics)


@pytest.mark.parametrize("path", BASELINES, ids=lambda path: path.stem)
def test_eight_devices_hold_a_sixth_of_what_one_holds(path):
    """The exchanged sums alone are as large on eight devices as on one."""
    found = counters_of(path)
    for loss in COSTS:
        one, eight = (found[loss, 65536, f"cpu x {n}"]["temp_bytes"] for n in (1, 8))
        assert eight <= max(one / 6, EXCHANGED_BYTES), loss


@pytest.mark.slow
def test_what_cannot_be_split_says_why():
    lonely = replace(case("shannon"), loss=lambda assignments: assignments.sum())
    wrong = replace(case("simpson"), name="unheard of")
    records = measure_scaling(STRONG_SCALING[-1:], [lonely, wrong, case("simpson")]).records
    assert [r.status for r in records[:2]] == [Status.SKIPPED, Status.FAILED]
    assert "axis_name" in records[0].detail
    assert "unheard of" in records[1].detail
    assert {(r.loss, r.n_cells, r.device) for r in records[2:]} == {("simpson", 65536, "cpu x 8")}
    found = {record.metric: record.value for record in records[2:]}
    assert found["flops"] == pytest.approx(4 * 20 * 65536 / 8, rel=0.01)
    assert found["communicated_bytes"] == 4
