"""The gate on real measurements: quiet without a change, loud about each planted one."""

import pytest

from tests.scratch import copy_repository, python, replace

pytestmark = pytest.mark.slow

SUM = "jnp.sum(p * p)"
PLANTED = {
    "nothing": (SUM, ""),
    "twice the work": (f"({SUM} + jnp.sum(jnp.sqrt(p) ** 4)) / 2", "flops"),
    "a large temporary array": ("jnp.sum(jnp.sort(jnp.stack([p * p] * 4))) / 4", "temp_bytes"),
    "half precision": (
        "jnp.sum((p * p).astype(jnp.float16), dtype=jnp.float16).astype(p.dtype)",
        "value_error",
    ),
    "an error": ("jnp.sum(p @ p)", "failing"),
}


@pytest.fixture(scope="module")
def scratch(tmp_path_factory):
    """A copy whose baseline was measured here, of fewer losses and sizes than the committed one."""
    folder = tmp_path_factory.mktemp("planted")
    copy_repository(folder)
    run = python(folder, "reports", "baseline", "--tier=smoke")
    assert (run.returncode, "not replaced without --shrink" in run.stderr) == (2, True), run.stderr
    run = python(folder, "reports", "gate", "--results=results/smoke.json")
    assert (run.returncode, "losses without batch_mixing" in run.stderr) == (2, True), run.stderr
    run = python(folder, "reports", "baseline", "--results=results/smoke.json", "--shrink")
    assert run.returncode == 0, run.stderr
    return folder


@pytest.mark.parametrize("change", PLANTED)
def test_gate(scratch, change):
    source = scratch / "diffbio" / "functional" / "diversity.py"
    planted, word = PLANTED[change]
    replace(source, SUM, planted)
    try:
        run = python(scratch, "reports", "gate", "--tier=smoke")
    finally:
        replace(source, planted, SUM)
    assert run.returncode == (1 if word else 0), run.stdout + run.stderr
    assert word in run.stdout
    assert (": 0 regressed, 0 improved" in run.stdout) == (not word or word == "failing")
