"""The laws of the search hold over shards."""

import pytest

from diffbio.neighbors import nearest_neighbors
from diffbio.sharding import sharded
from tests.neighbors import test_nearest, test_non_finite_cells, test_ranges
from tests.neighbors.test_nearest import (
    test_distances_are_those_of_an_exhaustive_search,
    test_half_precision_is_searched_in_float32,
    test_masked_cells_are_nobodys_neighbors_and_have_none,
    test_missing_neighbors_are_padding,
    test_neighbors_are_constants_under_differentiation,
)
from tests.neighbors.test_non_finite_cells import (
    test_a_distance_too_large_for_its_dtype_hides_no_cell_and_spoils_no_other,
    test_it_is_a_neighbor_before_masked_cells_where_there_are_too_few_others,
    test_its_own_neighbors_are_other_cells_at_no_finite_distance,
    test_one_nan_cell_after_ten_in_a_row,
    test_the_other_cells_have_the_neighbors_they_have_without_it,
)
from tests.neighbors.test_ranges import (
    test_the_nearest_cells_are_found_at_every_scale_and_beside_every_outlier,
)
from tests.sharding.losses import mesh_of

__all__ = [
    "test_a_distance_too_large_for_its_dtype_hides_no_cell_and_spoils_no_other",
    "test_distances_are_those_of_an_exhaustive_search",
    "test_half_precision_is_searched_in_float32",
    "test_it_is_a_neighbor_before_masked_cells_where_there_are_too_few_others",
    "test_its_own_neighbors_are_other_cells_at_no_finite_distance",
    "test_masked_cells_are_nobodys_neighbors_and_have_none",
    "test_missing_neighbors_are_padding",
    "test_neighbors_are_constants_under_differentiation",
    "test_one_nan_cell_after_ten_in_a_row",
    "test_the_nearest_cells_are_found_at_every_scale_and_beside_every_outlier",
    "test_the_other_cells_have_the_neighbors_they_have_without_it",
]

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("small_parts")]


@pytest.fixture(autouse=True)
def searched_over_shards(monkeypatch):
    over_shards = sharded(nearest_neighbors, mesh_of(4))
    for module in (test_nearest, test_non_finite_cells, test_ranges):
        monkeypatch.setattr(module, "nearest_neighbors", over_shards)
