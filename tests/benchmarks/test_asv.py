"""asv's configuration holds no key that asv would silently ignore."""

import inspect
import json
import subprocess
import sys
from pathlib import Path

from asv.config import Config

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
