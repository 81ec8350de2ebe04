"""asv's configuration holds no key that asv would silently ignore."""

import inspect
import json
import subprocess
import sys
from pathlib import Path

import pytest
from asv.config import Config

from benchmarks.bench_compile import Compile, Counters
from benchmarks.records import Record, write_sweep

ROOT = Path(__file__).resolve().parents[2]


def test_every_key_is_one_that_asv_knows():
    known = set(vars(Config())) | {"version"}
    assert set(json.loads((ROOT / "asv.conf.json").read_text())) <= known
    assert "benchmark_dir" in inspect.getsource(Config)


def test_asv_finds_the_suite_and_nothing_else():
    code = (
        "import sys; from asv_runner.discovery import disc_benchmarks;"
        " from asv_runner._aux import update_sys_path; update_sys_path('benchmarks');"
        " print(*sorted(b.name for b in disc_benchmarks('benchmarks')), sep='\\n')"
    )
    found = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout.split()
    assert {name.split(".")[0] for name in found} == {
        "bench_accuracy",
        "bench_compile",
        "bench_memory",
        "bench_throughput",
    }
    assert "bench_throughput.Call.time_call" in found
    assert "bench_compile.Counters.track_hlo_fingerprint" in found


def test_look_ups_return_numbers_skip_what_is_missing_and_fail_with_what_failed(tmp_path):
    def record(loss, metric, value, **more):
        return Record("", loss, "value", "simulated", 256, "float32", "cpu", metric, value, **more)

    path = tmp_path / "sweep.json"
    records = [
        record("shannon", "hlo_fingerprint", "00000000000f0000"),
        record("shannon", "retraces", 0),
        record("simpson", "call_seconds", None, status="failed", detail="ValueError: no"),
    ]
    write_sweep(path, {}, {}, records, [], [])
    assert Counters().track_hlo_fingerprint(path, "shannon:value", 256, "cpu") == 15
    assert Compile().track_retraces(path, "shannon:value", 256, "cpu") == 0
    setup = Compile().track_retraces.setup
    assert setup(path, "shannon:value", 256, "cpu") == 0
    for missing in (("shannon:value", 256, "gpu"), ("velocity:value", 256, "cpu")):
        with pytest.raises(NotImplementedError, match="not measured"):
            setup(path, *missing)
    with pytest.raises(RuntimeError, match="ValueError: no"):
        setup(path, "simpson:value", 256, "cpu")
