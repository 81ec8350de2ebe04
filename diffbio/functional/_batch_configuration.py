"""What batch mixing accepts as its configuration."""

from diffbio import _checks
from diffbio._types import Scalar, StaticInteger
from diffbio.functional._batch_proportions import Proportions, checked_proportions

__all__ = ["check_batch_mixing_configuration", "checked_perplexity"]

BANDWIDTHS = ("global", "local", "perplexity")
INDEXES = ("entropy", "simpson")


def check_batch_mixing_configuration(
    *,
    n_batches: StaticInteger,
    n_neighbors: StaticInteger,
    temperature: Scalar,
    normalize: bool,
    proportions: Proportions,
    bandwidth: str,
    perplexity: Scalar | None,
    index: str,
    block_size: StaticInteger | None,
) -> tuple[int, int, int | None]:
    """Raise for a configuration that no data could make valid; return its integers."""
    n_batches = _checks.positive_integer("n_batches", n_batches)
    n_neighbors = _checks.positive_integer("n_neighbors", n_neighbors)
    _checks.positive("temperature", temperature)
    _checks.flag("normalize", normalize)
    _checks.choice("bandwidth", bandwidth, BANDWIDTHS)
    _checks.choice("index", index, INDEXES)
    if normalize and n_batches == 1:
        raise ValueError(
            "normalize=True divides by the range of the index and needs n_batches >= 2, got 1"
        )
    _check_width(bandwidth, temperature, perplexity)
    checked_proportions(proportions, n_batches)
    uniform = isinstance(proportions, str) and proportions == "uniform"
    if index == "simpson" and not uniform:
        raise ValueError(
            f"index='simpson' measures mixing against proportions='uniform', got {proportions!r}"
        )
    return n_batches, n_neighbors, _checks.block_size(block_size)


def _check_width(bandwidth: str, temperature: Scalar, perplexity: Scalar | None) -> None:
    if perplexity is not None:
        _checks.positive("perplexity", perplexity)
        if bandwidth != "perplexity":
            raise ValueError(
                f"perplexity={perplexity} needs bandwidth='perplexity', got {bandwidth!r}"
            )
    if bandwidth == "perplexity" and not _checks.is_traced(temperature) and temperature != 1:
        raise ValueError(f"bandwidth='perplexity' needs temperature=1, got {temperature}")


def checked_perplexity(perplexity: Scalar | None, n_neighbors: int) -> Scalar:
    """The perplexity, by default a third of the neighbours; more than 1 and less than all."""
    perplexity = n_neighbors / 3 if perplexity is None else perplexity
    if not _checks.is_traced(perplexity) and not 1 < float(perplexity) < n_neighbors:
        raise ValueError(
            f"perplexity must lie between 1 and the number of neighbours {n_neighbors}, "
            f"got {perplexity}"
        )
    return perplexity
