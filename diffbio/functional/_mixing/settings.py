"""The settings of batch mixing."""

from dataclasses import dataclass

from diffbio import _checks
from diffbio._types import AnyArray
from diffbio.functional._settings import Settings, one_of, option

__all__ = ["PROPORTIONS", "BatchMixingSettings", "Proportions"]

PROPORTIONS = ("uniform", "observed")

# A name, or one number per batch.
Proportions = str | AnyArray | tuple | list


def _name(name: str, value: object) -> str | None:
    """The name of proportions; None for numbers, which may change without a new program."""
    return _checks.choice(name, value, PROPORTIONS) if isinstance(value, str) else None


@dataclass(frozen=True)
class BatchMixingSettings(Settings):
    """The static options of :func:`~diffbio.functional.batch_mixing_loss`, described there."""

    n_batches: int = option(3, _checks.positive_integer)
    n_neighbors: int = option(15, _checks.positive_integer)
    normalize: bool = option(False, _checks.flag)
    proportions: str | None = option("uniform", _name)
    index: str = option("entropy", one_of(("entropy", "simpson")))
    block_size: int | None = option(None, _checks.block_size)
    reduce: bool = option(True, _checks.flag)

    def __post_init__(self) -> None:
        if self.normalize and self.n_batches == 1:
            raise ValueError(
                "normalize=True divides by the range of the index and needs n_batches >= 2, got 1"
            )
        if self.index == "simpson" and self.proportions != "uniform":
            raise ValueError(
                "index='simpson' measures mixing against proportions='uniform', "
                f"got {self.proportions or 'numbers'!r}"
            )
