"""Every program of the catalog under pytest-benchmark; run with ``make bench-pytest``."""

import jax
import numpy as np
import pytest

from benchmarks.catalog.cases import case
from benchmarks.measure.programs import call_in_turn, compile_cold, program, warm_up
from benchmarks.measure.ratio import calls_to_compare, ratios_of
from benchmarks.schema.suite import CELL_COUNTS, DEVICES, PROGRAMS

pytestmark = pytest.mark.performance


@pytest.fixture(autouse=True)
def as_users_run_it():
    """Without the 64-bit types that the other tests switch on."""
    with jax.enable_x64(False):
        yield


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("n_cells", CELL_COUNTS)
@pytest.mark.parametrize("name", PROGRAMS)
def test_call(benchmark, name, n_cells, device):
    try:
        target = jax.devices(device)[0]
    except RuntimeError:
        pytest.skip(f"no {device} here")
    loss, transform = name.split(":")
    prepared = program(case(loss), transform, case(loss).make_inputs(n_cells), target)
    compiled = compile_cold(prepared).compiled

    def call():
        return jax.block_until_ready(compiled(*prepared.arguments))

    calls = calls_to_compare(case(loss), transform, prepared, compiled)
    warm_up(calls)
    samples = call_in_turn(calls, np.random.default_rng(0), seconds=0.5, most=20)
    (ratio,) = ratios_of(case(loss), transform, prepared, compiled, samples)
    benchmark.pedantic(call, rounds=10, warmup_rounds=1)
    benchmark.extra_info.update(
        program=name,
        n_cells=n_cells,
        device=device,
        cells_per_second=n_cells / benchmark.stats.stats.median,
        temp_bytes=ratio.temp_bytes,
        lower_bound_ratio=ratio.ratio,
    )
