"""The fetched data sets: what the table of SPEC says they hold, bit for bit."""

import numpy as np
import pytest

from benchmarks.catalog.real import REAL_CELLS, real_cells
from diffbio.datasets import CellData
from diffbio.datasets._cells import soft_assignments
from tests.datasets.fetched import real_or_skip


def read(n_cells: int) -> CellData:
    return real_or_skip(lambda: real_cells(n_cells))


@pytest.mark.parametrize("n_cells", REAL_CELLS)
def test_a_data_set_has_its_number_of_cells_and_the_fields_that_the_catalog_names(n_cells):
    cells = read(n_cells)
    arrays = cells.arrays()
    assert REAL_CELLS[n_cells].fields == set(arrays)
    assert {len(array) for array in arrays.values()} == {n_cells} == {cells.n_cells}
    for name, array in arrays.items():
        assert array.dtype == ("int32" if name.endswith("labels") else "float32"), name
        assert np.isfinite(array).all(), name


# Of what is the source's own: it depends on no BLAS.
SUMS = {
    (3704, "counts"): ((3704, 158), 1616247.0),
    (400, "counts"): ((400, 15792), 2258575.0),
    (200, "spliced"): ((200, 322), 60231.94315246167),
    (200, "velocity"): ((200, 322), -592.7238171589178),
}


@pytest.mark.parametrize(("at", "expected"), SUMS.items(), ids=str)
def test_what_the_source_publishes_is_read_as_it_is(at, expected):
    n_cells, name = at
    array = getattr(read(n_cells), name)
    shape, total = expected
    assert array.shape == shape
    assert array.sum(dtype=np.float64) == pytest.approx(total, rel=1e-9)


def test_starmap_has_3178_labelled_cells_of_15_types_in_three_batches():
    cells = read(3704)
    assert np.bincount(cells.batch_labels).tolist() == [1123, 1367, 1214]
    assert len(cells.cluster_names) == 15
    assert (
        dict(zip(cells.cluster_names, np.bincount(cells.cluster_labels + 1)[1:], strict=True))[
            "eL6-1"
        ]
        == 516
    )
    labelled = cells.subset(cells.cluster_labels >= 0)
    assert labelled.n_cells == 3178
    assert set(labelled.cluster_labels) == set(range(15))


def test_the_two_batches_are_200_cells_each():
    cells = read(400)
    assert np.bincount(cells.batch_labels).tolist() == [200, 200]
    assert cells.batch_names == ("5k", "10k")


def test_the_future_of_dentate_gyrus_lies_where_the_velocities_lead_more_often_than_not():
    cells = read(200)
    change = cells.future_expression - cells.expression
    towards = (change * cells.velocity).sum(axis=1)
    assert np.mean(towards > 0) > 0.6
    np.testing.assert_allclose(cells.dt, towards.sum() / (cells.velocity**2).sum(), atol=1e-3)
    assert len(cells.cluster_names) == 14


def test_a_subset_is_a_mask_of_every_array_and_keeps_the_names():
    cells = CellData(
        "few", embeddings=np.eye(3, 2), batch_labels=np.arange(3), batch_names=("a", "b", "c")
    )
    mask = np.array([True, False, True])
    part = cells.subset(mask)
    assert part.batch_labels.tolist() == [0, 2]
    assert part.embeddings.tolist() == [[1, 0], [0, 0]]
    assert part.batch_names == cells.batch_names
    assert part.n_cells == 2
    assert "2 of 3" in part.name


@pytest.mark.parametrize("mask", [np.array([True]), np.array([0, 1, 1]), np.eye(3) > 0])
def test_a_mask_of_another_shape_or_dtype_is_named(mask):
    with pytest.raises(ValueError, match="mask must be bool of shape"):
        CellData("few", embeddings=np.eye(3)).subset(mask)


def test_unlabelled_cells_change_no_soft_assignment_of_the_labelled():
    rng = np.random.default_rng(0)
    points, labels = rng.normal(size=(20, 3)), rng.integers(3, size=20)
    alone = soft_assignments(points, labels, 3)
    more = soft_assignments(
        np.vstack([points, 9 * np.ones((4, 3))]), np.append(labels, [-1] * 4), 3
    )
    np.testing.assert_array_equal(more[:20], alone)
    np.testing.assert_allclose(more.sum(axis=1), 1, rtol=1e-6)
