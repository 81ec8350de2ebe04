"""Every loss against its reference: values and gradients, for every kind of input and dtype."""

from dataclasses import replace
from functools import partial

import jax
import numpy as np
import pytest

from benchmarks.catalog.cases import CATALOG
from benchmarks.catalog.real import REAL_CELLS
from benchmarks.measure.sweep.accuracy import relative_error
from benchmarks.schema.tolerances import LEAST_VALUE
from tests.agreement import assert_equal_to_the_reference
from tests.datasets.fetched import real_or_skip
from tests.inputs import KINDS, N_CELLS, REPEATS, draw, for_reference, search_options
from tests.tiers import slow_unless
from tests.tolerances import DTYPES, VALUE

pytestmark = pytest.mark.usefixtures("compiled_quickly")

CASES = pytest.mark.parametrize("case", CATALOG, ids=lambda case: case.name)


def in_every_dtype():
    """Each case in each dtype; every formula is quick in double precision alone."""
    for case in CATALOG:
        for dtype in DTYPES:
            marks = slow_unless(dtype == "float64" or case.name not in REPEATS)
            yield pytest.param(case, dtype, id=f"{dtype}-{case.name}", marks=marks)


@pytest.mark.parametrize(("case", "dtype"), list(in_every_dtype()))
def test_value_and_gradient_equal_the_reference(case, dtype):
    options = search_options(case)
    for kind in KINDS:
        arrays = draw(case, kind, N_CELLS, dtype=DTYPES[dtype])
        assert_equal_to_the_reference(case, arrays, kind, dtype, **options)


@CASES
def test_result_is_at_least_float32(case):
    for name, dtype in DTYPES.items():
        arrays = draw(case, "random", N_CELLS, dtype=dtype)
        value = jax.eval_shape(lambda arrays: case.loss(**arrays), arrays)
        assert value.dtype == ("float64" if name == "float64" else "float32")
        assert value.shape == ()


@pytest.mark.slow
@pytest.mark.parametrize("n_cells", REAL_CELLS)
@CASES
def test_real_cells_agree_with_the_reference(case, n_cells):
    if n_cells not in case.real_sizes():
        pytest.skip("the data set lacks what the loss needs")
    arrays = real_or_skip(lambda: case.real_inputs(n_cells=n_cells))
    found, expected = case.loss(**arrays), case.reference(**arrays)
    assert relative_error(found, expected, least=LEAST_VALUE) <= VALUE["float32"]


SEARCHING = [case for case in CATALOG if case.n_neighbors is not None and case.module is not None]


@pytest.mark.slow
@pytest.mark.parametrize("case", SEARCHING, ids=lambda case: case.name)
def test_blocks_of_every_size_around_the_number_of_cells_agree_with_the_reference(case):
    block = 32
    k = case.n_neighbors
    in_blocks = replace(case, loss=partial(case.loss, block_size=block))
    sizes = {k + 1, block - 1, block, block + 1, 3 * block + 7}
    for n_cells in sorted(n for n in sizes if n > k):
        arrays = draw(case, "random", n_cells)
        assert_equal_to_the_reference(in_blocks, arrays, n_cells)


def test_shifted_far_from_the_origin_float32_equals_float64_of_the_same_numbers():
    for case in SEARCHING:
        arrays = draw(case, "far", 500, dtype=np.float32)
        assert relative_error(case.loss(**arrays), case.reference(**for_reference(arrays))) <= 1e-4


@pytest.mark.slow
@CASES
@pytest.mark.parametrize("n_cells", [32, 55])
def test_overlapping_last_blocks_count_every_cell_once(case, n_cells, monkeypatch):
    rows = {"functional._edges.blocks": 16, "functional._scatter.pairs": 3, "neighbors._exact": 16}
    for module, block in rows.items():
        monkeypatch.setattr(f"diffbio.{module}.rows_for", lambda *_, b=block, **__: b)
    jax.clear_caches()
    assert_equal_to_the_reference(case, draw(case, "random", n_cells), n_cells)
    jax.clear_caches()
