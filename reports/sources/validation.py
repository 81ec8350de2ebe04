"""Checks of what a file holds, whose errors name the wrong field."""

import reprlib
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, TypeVar

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from benchmarks.schema.fields import CellCount, Name
from benchmarks.schema.suite import DEVICES, MESHES, STEP, TRANSFORMS
from reports.sources.measurements import DamagedError

__all__ = ["ForeignModel", "MeasuredProgram", "OwnModel", "checked", "checked_rows"]

_MOST_TOLD = 3
_ADAPTERS: dict[Any, TypeAdapter[Any]] = {}
_T = TypeVar("_T")


class OwnModel(BaseModel):
    """A file that this project writes: its fields and no others."""

    model_config = ConfigDict(strict=True, frozen=True, extra="forbid")


class ForeignModel(BaseModel):
    """A part of a file that another tool writes, which may hold more than is read."""

    model_config = ConfigDict(strict=True, frozen=True, extra="ignore")


class MeasuredProgram(ForeignModel):
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


def checked(model: type[_T], content: Any) -> _T:
    """The content, read as a model or a row.

    Raises:
        DamagedError: a field is missing, unknown or of another type or range; it is named.
    """
    try:
        found: _T = _adapter(model).validate_python(content)
    except ValidationError as error:
        raise DamagedError("; ".join(_told(_problems(error)))) from error
    return found


def checked_rows(
    model: type[_T], rows: Sequence[Any], name: str, *, noted: Sequence[str] = ()
) -> tuple[list[_T], list[str]]:
    """The rows that fit, and a line for each kind of wrong ones.

    Args:
        model: the dataclass that a row must fit.
        rows: the elements of a list in the file.
        name: the list's name in the file.
        noted: fields by which a problem names its row, if the row has them.
    """
    adapter = _adapter(model)
    found: list[_T] = []
    wrong: list[str] = []
    for at, row in enumerate(rows):
        try:
            found.append(adapter.validate_python(row))
        except ValidationError as error:
            which = _which(row, noted)
            wrong += [f"{name}.{at}.{problem}{which}" for problem in _problems(error)]
    return found, _told(wrong)


def _adapter(model: Any) -> TypeAdapter[Any]:
    """What checks a model or a row; it takes long to make, and is kept."""
    if model not in _ADAPTERS:
        _ADAPTERS[model] = TypeAdapter(model)
    return _ADAPTERS[model]


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
