"""asv's configuration and suite: known keys, safe to fork, numbers or skips."""

import functools
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from asv.config import Config

from benchmarks._asv import swept_table
from benchmarks.bench_accuracy import FiniteDifferences, Values
from benchmarks.bench_compile import Counters, Retraces
from benchmarks.bench_throughput import Call, Import
from benchmarks.schema.metrics import METRICS
from benchmarks.schema.suite import (
    BENCHMARK_VERSION,
    CALLS_PER_PROCESS,
    CELL_COUNTS,
    CHECKED_CELLS,
    DEVICES,
    PROCESSES,
    PROGRAMS,
    TRANSFORMS,
)
from tests.reports.written import record
from tests.tiers import tiered

# One process runs these tests: what is discovered once is kept.
pytestmark = pytest.mark.xdist_group("asv")

ROOT = Path(__file__).resolve().parents[2]
CONFIGURATION = json.loads((ROOT / "asv.conf.json").read_text())
DISCOVER = """
import json
from asv_runner._aux import update_sys_path
from asv_runner.discovery import disc_benchmarks
update_sys_path("benchmarks")
found = {b.name: b.params for b in disc_benchmarks("benchmarks")}
from jax._src.xla_bridge import backends_are_initialized
threads = int(open("/proc/self/status").read().split("Threads:")[1].split()[0])
print(json.dumps([found, backends_are_initialized(), threads]))
"""


@functools.cache
def discover(**environment):
    result = subprocess.run(
        [sys.executable, "-c", DISCOVER],
        cwd=ROOT,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
    )
    assert result.returncode == 0, result.stderr
    return json.loads(result.stdout)


def test_every_key_is_one_that_asv_knows():
    known = set(vars(Config())) | {"version"}
    assert set(CONFIGURATION) <= known


def test_the_matrix_holds_the_versions_of_the_constraints():
    constraints = dict(
        re.findall(r"^([\w.-]+)==(.+)$", (ROOT / "constraints.txt").read_text(), re.M)
    )
    constraints = {name.lower().replace("_", "-"): v for name, v in constraints.items()}
    for name, versions in CONFIGURATION["matrix"]["req"].items():
        name = name.removeprefix("pip+").lower().replace("_", "-")
        assert constraints[name] in versions, name


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_the_server_that_asv_forks_off_has_started_neither_a_backend_nor_a_thread():
    _, initialized, threads = discover(OPENBLAS_NUM_THREADS="1")
    assert not initialized
    assert threads == 1


def test_asv_finds_the_whole_suite():
    found, *_ = discover()
    tracked = {name.rsplit("track_", 1)[1] for name in found if ".track_" in name}
    tracked = (tracked - {"limit_ratio"}) | {"lower_bound_ratio"}  # the name that histories have
    measured_by_asv = {"call_seconds", "peak_memory_bytes", "import_seconds"}
    not_tracked = {"cells_per_second", "lower_bound_seconds", "value", "result_digest"}
    not_tracked |= {"cold_compile_seconds"}  # of the comparison of commits
    assert tracked == set(METRICS) - not_tracked - measured_by_asv
    assert {name for name in found if ".track_" not in name} == {
        "bench_memory.Peak.peakmem_call",
        "bench_throughput.Call.time_call",
        "bench_throughput.Import.timeraw_losses",
        "bench_throughput.Import.timeraw_nnx",
    }


def test_the_suite_is_the_same_whatever_the_hardware():
    assert discover()[0] == discover(JAX_PLATFORMS="cuda")[0]


@pytest.mark.parametrize(
    "tier", tiered(["smoke", "quick", "standard", "large"], quick=["smoke", "standard"])
)
def test_a_tier_chooses_the_cell_counts(tier):
    # What none was chosen for is the standard tier.
    found, *_ = discover() if tier == "standard" else discover(DIFFBIO_BENCH_TIER=tier)
    programs, cells, devices = found["bench_memory.Memory.track_temp_bytes"]
    assert [len(programs), len(devices)] == [len(PROGRAMS), len(DEVICES)]
    largest = {"smoke": "4096", "quick": "4096", "standard": "65536", "large": "262144"}
    assert cells[-1] == largest[tier]


def test_an_unknown_tier_is_named():
    with pytest.raises(AssertionError, match="'huge': accepted are smoke, quick, standard, large"):
        discover(DIFFBIO_BENCH_TIER="huge")


def test_the_environment_chooses_the_losses_in_the_catalogs_order():
    found, *_ = discover(DIFFBIO_BENCH_LOSSES="simpson, shannon")
    programs, *_ = found["bench_compile.Retraces.track_retraces"]
    names = [f"{loss}:{t}" for loss in ("shannon", "simpson") for t in TRANSFORMS]
    assert [program.strip("'") for program in programs] == names


def test_an_unknown_loss_is_named():
    message = (
        "DIFFBIO_BENCH_LOSSES='shanon': no loss 'shanon': accepted are batch_mixing_recommended, "
    )
    with pytest.raises(AssertionError, match=message):
        discover(DIFFBIO_BENCH_LOSSES="shanon")


def test_a_failed_figure_takes_no_other_along():
    records = [
        record("simpson", "flops", 1.0, transform="value"),
        record("simpson", "value_error", None, transform="value", status="failed", detail="nan"),
    ]
    table = swept_table(one.row() for one in records)
    where = ("simpson:value", 256, "cpu")
    assert Counters().track_flops(table, *where) == 1.0
    with pytest.raises(RuntimeError, match="nan"):
        Values().track_value_error(table, *where)


def test_look_ups_return_numbers_skip_what_is_missing_and_fail_with_what_failed():
    n_cells = CELL_COUNTS[0]

    def row(loss, transform, metric, value, n_cells=n_cells, **more):
        return record(loss, metric, value, transform=transform, n_cells=n_cells, **more).row()

    table = swept_table(
        [
            row("shannon", "value", "hlo_fingerprint", "00000000000f0000"),
            row("shannon", "value", "retraces", 0),
            row("shannon", "value_and_grad", "finite_difference_error", 1e-9, CHECKED_CELLS),
            row("simpson", "value", "call_seconds", None, status="failed", detail="boom"),
        ]
    )
    where = ("shannon:value", n_cells, "cpu")
    checked = ("shannon:value_and_grad", CHECKED_CELLS, "cpu")
    assert Counters().track_hlo_fingerprint(table, *where) == 15
    assert Retraces().track_retraces(table, *where) == 0
    assert FiniteDifferences().track_finite_difference_error(table, *checked) == 1e-9
    setup = Retraces().track_retraces.setup
    assert setup(table, *where) == 0
    for missing in (("shannon:value", n_cells, "gpu"), ("velocity:value", n_cells, "cpu")):
        with pytest.raises(NotImplementedError, match="not measured"):
            setup(table, *missing)
    with pytest.raises(NotImplementedError, match="not measured"):
        FiniteDifferences().track_finite_difference_error.setup(table, PROGRAMS[1], *checked[1:])
    with pytest.raises(RuntimeError, match="boom"):
        setup(table, "simpson:value", n_cells, "cpu")


def test_a_process_compiles_once_however_often_asv_sets_up():
    benchmark = Call()
    calls = []
    for _ in range(2):
        benchmark.setup("simpson:value", 64, "cpu")
        calls.append(benchmark.call)
    assert calls[0] is calls[1]


def test_benchmarks_that_count_otherwise_than_before_have_another_version():
    benchmarks = {name: found for name, found in vars(Counters).items() if "track_" in name}
    renewed = {name for name, found in benchmarks.items() if found.version != BENCHMARK_VERSION}
    assert renewed == {"track_flops", "track_bytes_accessed", "track_transcendentals"}


def test_every_process_takes_the_same_number_of_samples():
    """A reader tells by the number which samples come from one process."""
    assert (Call.repeat, Call.number, Call.rounds) == (CALLS_PER_PROCESS, 1, PROCESSES)
    assert (Import.repeat, Import.number, Import.rounds) == (1, 1, PROCESSES)
    assert {Call.version, Import.version} == {"2"}
