"""What a field of a results file may hold, and checks whose errors name the wrong field."""

import datetime
import math
import reprlib
from collections.abc import Collection, Mapping, Sequence
from typing import Annotated, Any, TypeVar

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from benchmarks.schema.metrics import METRICS, Kind
from benchmarks.schema.suite import DEVICES, MESHES, STEP, TRANSFORMS
from reports.sources.measurements import DamagedError

__all__ = [
    "CellCount",
    "Commit",
    "Count",
    "Date",
    "Device",
    "Error",
    "MetricName",
    "Name",
    "Ours",
    "Place",
    "Positive",
    "Program",
    "Text",
    "Theirs",
    "Transform",
    "checked",
    "checked_rows",
    "known",
    "misfit",
]

# A float holds every whole number up to here; no machine has as many bytes, cells or seconds.
_LARGEST = 2**53
_MOST_TOLD = 3
_POSITIVE_KINDS = (Kind.TIME, Kind.COMPILE)
_FREE_KINDS = (Kind.RESULT, Kind.ACCURACY)
_M = TypeVar("_M", bound=BaseModel)


class Ours(BaseModel):
    """A part of a file that this project writes: its fields and no others."""

    model_config = ConfigDict(strict=True, frozen=True, extra="forbid")


class Theirs(BaseModel):
    """A part of a file that another tool writes, which may hold more than is read."""

    model_config = ConfigDict(strict=True, frozen=True, extra="ignore")


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
Text = Annotated[str, Field(max_length=1_000_000)]
Name = Annotated[str, Field(min_length=1, max_length=10_000)]
Commit = Annotated[str, Field(pattern=r"^[0-9a-f]{1,64}$")]
Date = Annotated[str, Field(pattern=r"^\d{4}-\d{2}-\d{2}T"), AfterValidator(_is_date)]
Program = Annotated[str, Field(pattern=rf"^\w+:({'|'.join((*TRANSFORMS, STEP))})$")]
Transform = Annotated[str, known(TRANSFORMS)]
Device = Annotated[str, known((*DEVICES, *MESHES))]
MetricName = Annotated[str, known(METRICS)]
CellCount = Annotated[int, Field(ge=1, le=_LARGEST)]
Count = Annotated[int, Field(ge=0, le=_LARGEST)]
Positive = Annotated[float, Field(gt=0, le=_LARGEST, allow_inf_nan=False)]
Error = Annotated[float, Field(ge=0, allow_inf_nan=False)]


class Place(Theirs):
    """What another tool measured and on what, which may be something that the suite had once."""

    program: Annotated[str, Field(pattern=r"^\w+(:\w+)?$")]
    n_cells: CellCount
    device: Name

    @property
    def unknown(self) -> str | None:
        """What of it this suite does not have, None where it has all."""
        if self.program.rpartition(":")[2] not in (*TRANSFORMS, STEP):
            return f"program {self.program!r}"
        if self.device not in (*DEVICES, *MESHES):
            return f"device {self.device!r}"
        return None


def misfit(metric: str, value: Any) -> str | None:
    """Why a metric cannot have the value, None where it can.

    NaN and the infinities pass: ``measurement`` makes failures of them.
    """
    kind, unit = METRICS[metric].kind, METRICS[metric].unit
    if unit == "hash" and isinstance(value, str):
        return None if _is_hexadecimal(value) else f"{value!r} is no hexadecimal hash"
    if isinstance(value, bool) or not isinstance(value, int | float):
        return f"{reprlib.repr(value)} is no number"
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if kind in _POSITIVE_KINDS and value <= 0:
        return f"{value} is not greater than 0"
    if kind != Kind.RESULT and value < 0:
        return f"{value} is less than 0"
    if kind not in _FREE_KINDS and value > _LARGEST:
        return f"{value} is more than there can be"
    return None


def _is_hexadecimal(text: str) -> bool:
    return text != "" and set(text) <= set("0123456789abcdef")


def checked(model: type[_M], content: Any) -> _M:
    """The content, read by the model.

    Raises:
        DamagedError: a field is missing, unknown or of another type or range; it is named.
    """
    try:
        return model.model_validate(content)
    except ValidationError as error:
        raise DamagedError("; ".join(_told(_problems(error)))) from error


def checked_rows(
    model: type[_M], rows: Sequence[Any], name: str, *, noted: Sequence[str] = ()
) -> tuple[list[_M], list[str]]:
    """The rows that the model takes, and a line for each kind of wrong ones.

    Args:
        model: what a row must be.
        rows: the elements of a list in the file.
        name: the list's name in the file.
        noted: fields by which a problem names its row, if the row has them.
    """
    found: list[_M] = []
    wrong: list[str] = []
    for at, row in enumerate(rows):
        try:
            found.append(model.model_validate(row))
        except ValidationError as error:
            which = _which(row, noted)
            wrong += [f"{name}.{at}.{problem}{which}" for problem in _problems(error)]
    return found, _told(wrong)


def _which(row: Any, noted: Sequence[str]) -> str:
    if not isinstance(row, Mapping):
        return ""
    said = [f"{field} {reprlib.repr(row[field])}" for field in noted if field in row]
    return f" ({', '.join(said)})" if said else ""


def _problems(error: ValidationError) -> list[str]:
    """The field, what is wrong with it, and what it holds."""
    found = []
    for one in error.errors(include_url=False):
        field = ".".join(map(str, one["loc"]))
        said = one["msg"].removeprefix("Value error, ")
        given = "" if one["type"] == "missing" else f", not {reprlib.repr(one['input'])}"
        if one["type"] == "value_error" and isinstance(one["input"], Mapping):
            given = ""  # a rule between fields names them itself
        found.append(f"{field}: {said}{given}" if field else f"{said}{given}")
    return found


def _told(problems: list[str]) -> list[str]:
    """The first few problems, and how many more there are."""
    more = len(problems) - _MOST_TOLD
    return [*problems[:_MOST_TOLD], *([f"and {more} more such fields"] if more > 0 else [])]
