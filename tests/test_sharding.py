"""The laws of ``tests/sharding``, in a process with eight virtual devices."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
FILES = sorted(path.name for path in (ROOT / "tests" / "sharding").glob("test_*.py"))
DEVICES = "--xla_force_host_platform_device_count=8"


def run_over_eight_devices(file, which):
    """Run the tests of a file; their programs are cached beside those of one device."""
    return subprocess.run(
        [sys.executable, "-m", "pytest", f"tests/sharding/{file}", "-n", "0", "-m", which]
        + ["-o", "cache_dir=.pytest_cache/eight_devices"],
        capture_output=True,
        text=True,
        cwd=ROOT,
        env={**os.environ, "XLA_FLAGS": DEVICES, "JAX_PLATFORMS": "cpu"},
    )


@pytest.mark.parametrize("file", FILES)
def test_over_eight_devices(file):
    run = run_over_eight_devices(file, "not slow")
    nothing_quick = 5
    assert run.returncode in (0, nothing_quick), run.stdout + run.stderr


@pytest.mark.slow
@pytest.mark.parametrize("file", FILES)
def test_all_over_eight_devices(file):
    run = run_over_eight_devices(file, "slow")
    assert run.returncode in (0, 5), run.stdout + run.stderr
