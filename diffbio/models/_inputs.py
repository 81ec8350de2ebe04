"""Checks of what the models are given."""

from jaxtyping import Array

from diffbio import _checks
from diffbio._types import AnyArray

__all__ = ["features_and_batches", "features_of"]


def features_of(value: object, n_features: int) -> Array:
    """Return floating ``(n_cells, n_features)`` features."""
    features = _checks.floating("features", value, ("n_cells", "n_features"))
    _checks.columns("features", features, "n_features", n_features)
    return features


def features_and_batches(
    features: object, batch_ids: object, n_features: int, n_batches: int
) -> tuple[Array, AnyArray]:
    """Return floating features and int32 batches of the same cells."""
    checked = features_of(features, n_features)
    batches = _checks.batch_labels(batch_ids, n_batches, None, name="batch_ids")
    _checks.same_axis("n_cells", {"features": (checked, 0), "batch_ids": (batches, 0)})
    return checked, _checks.as_int32(batches)
