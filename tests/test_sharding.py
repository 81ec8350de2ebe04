"""The laws of ``tests/sharding``, in a process with eight virtual devices."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
FILES = sorted(path.name for path in (ROOT / "tests" / "sharding").glob("test_*.py"))
EIGHT_DEVICES = "--xla_force_host_platform_device_count=8"
NO_TESTS = 5


def run_over_eight_devices(tests, marked):
    """Run these tests in this process; their programs are kept beside those of one device."""
    cache = ("-o", "cache_dir=.pytest_cache/eight_devices")
    run = subprocess.run(
        [
            sys.executable,
            "-m",
            "pytest",
            f"tests/sharding/{tests}",
            "-n",
            "0",
            "-m",
            marked,
            *cache,
        ],
        capture_output=True,
        text=True,
        cwd=ROOT,
        env={**os.environ, "XLA_FLAGS": EIGHT_DEVICES, "JAX_PLATFORMS": "cpu"},
    )
    assert run.returncode in (0, NO_TESTS), run.stdout + run.stderr
    return run.returncode


def test_over_eight_devices():
    assert run_over_eight_devices("", "not slow") == 0


@pytest.mark.slow
@pytest.mark.parametrize("file", FILES)
def test_all_over_eight_devices(file):
    run_over_eight_devices(file, "slow")
