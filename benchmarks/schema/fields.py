"""What a field of a file may hold, said by its type: measuring writes it, and a reader checks it.

A record is a dataclass whose annotations are these types. It is not checked when it is made; the
reader derives its checks from the same annotations, by pydantic.
"""

import datetime
import math
import reprlib
import sys
from collections.abc import Collection
from typing import Annotated, Any, ClassVar

from pydantic import AfterValidator, ConfigDict, Field, Strict, StrictBool

from benchmarks.schema.metrics import METRICS, Kind
from benchmarks.schema.suite import DEVICES, MESHES, STEP, TRANSFORMS

__all__ = [
    "CellCount",
    "Commit",
    "Count",
    "Date",
    "Device",
    "Digest",
    "Error",
    "Finite",
    "Flag",
    "MetricName",
    "Name",
    "Numbers",
    "Positive",
    "Program",
    "Row",
    "Text",
    "Transform",
    "known",
    "why_impossible",
]

# A float holds every whole number up to here; no machine has as many bytes, cells or seconds.
_LARGEST = 2**53
_POSITIVE_KINDS = (Kind.TIME, Kind.COMPILE)
_FREE_KINDS = (Kind.RESULT, Kind.ACCURACY)


class Row:
    """A row of a file, or a part of one: it has the fields of its dataclass and no others."""

    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(extra="forbid")
    __dataclass_fields__: ClassVar[dict[str, Any]]

    def row(self) -> dict[str, Any]:
        """The values by the names of the fields."""
        return dict(vars(self))

    @classmethod
    def names(cls) -> list[str]:
        """The names of the fields."""
        return list(cls.__dataclass_fields__)


def known(names: Collection[str]) -> AfterValidator:
    """A text that is one of the names."""

    def check(text: str) -> str:
        if text not in tuple(names):
            raise ValueError(f"accepted are {', '.join(names)}")
        return text

    return AfterValidator(check)


def _is_date(text: str) -> str:
    datetime.datetime.fromisoformat(text)
    return text


# The length makes pydantic refuse text that no file can hold, such as half of a surrogate pair.
Text = Annotated[str, Strict(), Field(max_length=1_000_000)]
Name = Annotated[str, Strict(), Field(min_length=1, max_length=10_000)]
Commit = Annotated[str, Strict(), Field(pattern=r"^[0-9a-f]{1,64}$")]
Digest = Annotated[str, Strict(), Field(pattern=r"^[0-9a-f]+$")]
Date = Annotated[str, Strict(), Field(pattern=r"^\d{4}-\d{2}-\d{2}T"), AfterValidator(_is_date)]
Program = Annotated[str, Strict(), Field(pattern=rf"^\w+:({'|'.join((*TRANSFORMS, STEP))})$")]
Transform = Annotated[str, Strict(), known(TRANSFORMS)]
Device = Annotated[str, Strict(), known((*DEVICES, *MESHES))]
MetricName = Annotated[str, Strict(), known(METRICS)]
Flag = StrictBool
CellCount = Annotated[int, Strict(), Field(ge=1, le=_LARGEST)]
Count = Annotated[int, Strict(), Field(ge=0, le=_LARGEST)]
Positive = Annotated[float, Strict(), Field(gt=0, le=_LARGEST, allow_inf_nan=False)]
Error = Annotated[float, Strict(), Field(ge=0, allow_inf_nan=False)]
Finite = Annotated[float, Strict(), Field(allow_inf_nan=False)]
Numbers = dict[Name, Finite]


def why_impossible(metric: str, value: Any) -> str | None:
    """Why a metric cannot have the value, None where it can.

    NaN and the infinities pass: a reader makes failures of them.
    """
    kind, unit = METRICS[metric].kind, METRICS[metric].unit
    if unit == "hash" and isinstance(value, str):
        return None if _is_hexadecimal(value) else f"{value!r} is no hexadecimal hash"
    if isinstance(value, bool) or not isinstance(value, int | float):
        return f"{reprlib.repr(value)} is no number"
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if kind in _POSITIVE_KINDS and value <= 0:
        return f"{reprlib.repr(value)} is not greater than 0"
    if kind != Kind.RESULT and value < 0:
        return f"{reprlib.repr(value)} is less than 0"
    if abs(value) > (sys.float_info.max if kind in _FREE_KINDS else _LARGEST):
        return f"{reprlib.repr(value)} is more than there can be"
    return None


def _is_hexadecimal(text: str) -> bool:
    return text != "" and set(text) <= set("0123456789abcdef")
