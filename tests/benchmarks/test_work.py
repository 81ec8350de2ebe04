"""The counted work is the work that is done: known products, every round of every loop."""

import functools
import os
import subprocess
import sys

import jax
import jax.numpy as jnp
import pytest
from jax import lax

from benchmarks.catalog.cases import case
from benchmarks.measure.program_text.work import work_of
from benchmarks.measure.programs import counters

N_CELLS, DIM = 512, 50
BLOCKS = (16, 64, 512)
# A product that a library computes on a GPU, beside its workspace.
LIBRARY_PRODUCT = """
ENTRY %main.1 (x.1: f32[8,5], y.1: f32[5,3]) -> f32[8,3] {
  %x.1 = f32[8,5]{1,0} parameter(0)
  %y.1 = f32[5,3]{1,0} parameter(1)
  %gemm.1 = (f32[8,3]{1,0}, s8[64]{0}) custom-call(%x.1, %y.1), \
custom_call_target="__cublas$gemm", backend_config={"gemm_backend_config":\
{"dot_dimension_numbers":{"lhs_contracting_dimensions":["1"],"rhs_contracting_dimensions":["0"]}}}
  ROOT %product.1 = f32[8,3]{1,0} get-tuple-element(%gemm.1), index=0
}
"""


@pytest.fixture(autouse=True)
def as_it_is_measured():
    """Without the 64-bit types that the other tests switch on."""
    with jax.enable_x64(False):
        yield


def counted(function, *arguments):
    return counters(jax.jit(function).lower(*arguments).compile())


def blocked_product(x, block):
    """``x @ x.T`` row block by row block."""

    def step(at, product):
        rows = lax.dynamic_slice_in_dim(x, at * block, block)
        return lax.dynamic_update_slice_in_dim(product, rows @ x.T, at * block, 0)

    return lax.fori_loop(0, len(x) // block, step, jnp.zeros((len(x), len(x))))


@pytest.mark.parametrize("block", BLOCKS)
def test_a_product_has_the_same_flops_in_blocks_of_any_size(block):
    found = counted(functools.partial(blocked_product, block=block), jnp.ones((N_CELLS, DIM)))
    assert found["flops"] == 2 * N_CELLS * N_CELLS * DIM


def test_smaller_blocks_read_the_other_operand_more_often():
    small, large = (
        counted(functools.partial(blocked_product, block=block), jnp.ones((N_CELLS, DIM)))
        for block in BLOCKS[:2]
    )
    rounds = [N_CELLS // block for block in BLOCKS[:2]]
    more = (rounds[0] - rounds[1]) * N_CELLS * DIM * 4
    assert small["bytes_accessed"] - large["bytes_accessed"] == pytest.approx(more, rel=0.01)


@functools.cache
def batch_mixing(block):
    entry, n_cells = case("batch_mixing"), 4096
    loss = functools.partial(entry.loss, block_size=block)
    x, labels = entry.make_inputs(n_cells).values()
    return counted(loss, x, labels)


@pytest.mark.parametrize("block", [32, 64, 128])
def test_batch_mixing_counts_its_search_and_its_edges(block):
    """The bounds of all pairs, and the squared distances of 20 candidates and 15 neighbours."""
    product = 2 * 4096 * 4096 * (DIM + 2)
    distances = 3 * 4096 * DIM * (20 + 15)
    assert batch_mixing(block)["flops"] == pytest.approx(product + distances, rel=0.01)


def test_another_block_size_of_the_search_is_no_change_of_the_work():
    assert batch_mixing(32)["flops"] == pytest.approx(batch_mixing(128)["flops"], rel=1e-3)
    traffic = [batch_mixing(block)["bytes_accessed"] for block in (32, 64, 128)]
    assert traffic == sorted(traffic, reverse=True)


def test_every_round_of_loops_within_loops_counts():
    def function(x):
        def inner(_, y):
            return jnp.exp(y)

        return lax.scan(lambda y, _: (lax.fori_loop(0, 30, inner, y), None), x, length=70)[0]

    assert counted(function, jnp.ones(8))["transcendentals"] == 70 * 30 * 8


def test_rounds_that_depend_on_the_data_count_nothing():
    def function(x):
        return lax.while_loop(lambda y: jnp.sum(y) < 100, jnp.exp, x)

    found = counted(function, jnp.ones(8))
    assert found["transcendentals"] == 0
    assert 8 <= found["flops"] < 16  # the condition's sum and comparison, once


@pytest.mark.parametrize("dear_first", [True, False])
def test_of_the_branches_of_a_conditional_the_cheaper_counts(dear_first):
    branches = (lambda x: jnp.sum(jnp.exp(jnp.exp(x))), lambda x: jnp.sum(jnp.exp(x)))

    def function(x):
        return lax.cond(jnp.sum(x) > 0, *(branches if dear_first else branches[::-1]), x)

    assert counted(function, jnp.ones((64, 64)))["transcendentals"] == 64 * 64


def test_what_is_sliced_or_updated_in_place_moves_the_part_alone():
    rows, columns, part = 64, 256, 256 * 4

    def function(x):
        def step(at, y):
            row = lax.dynamic_slice_in_dim(x, at, 1)
            return lax.dynamic_update_slice_in_dim(y, 2 * row, at, 0)

        return lax.fori_loop(0, rows, step, jnp.zeros((rows, columns)))

    moved = counted(function, jnp.ones((rows, columns)))["bytes_accessed"]
    zeros = rows * part
    assert zeros + rows * 2 * part <= moved < zeros + rows * 3 * part


def test_a_gather_reads_its_rows_alone():
    indices = jnp.arange(16)
    moved = counted(lambda x, at: 2 * x[at], jnp.ones((4096, 64)), indices)["bytes_accessed"]
    assert 2 * 16 * 64 * 4 <= moved < 4 * 16 * 64 * 4


# What a program of a (64, 32) array counts, by what it is about.
SIMPLE = {
    "elementwise": (lambda x: x * 2 + x, "flops", 2 * 64 * 32),
    "integers": (lambda x: jnp.arange(64 * 32) * 3 + 1, "flops", 0),
    "sum": (lambda x: jnp.sum(x, axis=1), "flops", 64 * 32),
    "windows": (
        lambda x: lax.reduce_window(x, 0.0, lax.add, (4, 1), (4, 1), "VALID"), "flops", 64 * 32
    ),
    "scatter": (lambda x: x.at[jnp.arange(16)].add(x[:16]), "flops", 16 * 32),
    "sort, four comparisons each": (lambda x: lax.sort(x), "flops", 64 * 32 * 5 * 4),
    "product": (lambda x: x.T @ x, "flops", 2 * 64 * 32 * 32),
    "transcendentals": (lambda x: jnp.sqrt(x) + jnp.log(x), "transcendentals", 2 * 64 * 32),
    "bytes": (lambda x: x * 2, "bytes_accessed", 2 * 64 * 32 * 4),
}  # fmt: skip


@pytest.mark.parametrize(("function", "figure", "expected"), SIMPLE.values(), ids=SIMPLE)
def test_simple_programs_count_what_they_say(function, figure, expected):
    assert counted(function, jnp.ones((64, 32)))[figure] == pytest.approx(expected, abs=16)


def test_a_product_by_a_library_counts_as_any_other():
    assert work_of(LIBRARY_PRODUCT).flops == 2 * 8 * 3 * 5


@pytest.mark.skipif(sys.platform != "linux", reason="chooses cores")
def test_neither_cores_nor_the_instruction_set_change_the_work():
    all_cores = os.sched_getaffinity(0)
    assert work_elsewhere(all_cores, "") == work_elsewhere(
        {min(all_cores)}, "--xla_cpu_max_isa=SSE4_2"
    )


def work_elsewhere(cores, flags):
    code = f"""if True:
        import os
        os.sched_setaffinity(0, {cores})
        import jax, jax.numpy as jnp
        from benchmarks.measure.program_text.work import work_of
        function = jax.jit(lambda x: jnp.sum(jnp.exp(x @ x.T), axis=1))
        print(work_of(function.lower(jnp.ones((512, 50))).compile().as_text()))
    """
    command = [sys.executable, "-c", code]
    environment = {**os.environ, "XLA_FLAGS": flags}
    return subprocess.run(command, env=environment, capture_output=True, check=True).stdout
