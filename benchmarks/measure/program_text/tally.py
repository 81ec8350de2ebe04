"""Counters that add up over the parts of a program, and count as often as a part runs."""

from dataclasses import astuple, dataclass
from typing import Self

__all__ = ["Tally"]


@dataclass(frozen=True)
class Tally:
    """Base of the counters of a program, each of which is a field that starts at 0."""

    def __add__(self, other: Self) -> Self:
        return type(self)(*map(sum, zip(astuple(self), astuple(other), strict=True)))

    def __rmul__(self, times: int) -> Self:
        return type(self)(*(times * count for count in astuple(self)))
