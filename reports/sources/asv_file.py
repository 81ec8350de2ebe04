"""The fields of asv's results files, and how asv stores what it measured."""

from collections.abc import Sequence
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field

from benchmarks.schema.fields import Commit, Name, Text
from reports.sources.measurements import DamagedError
from reports.sources.validation import ForeignModel, checked

__all__ = ["File", "Result", "result_of"]

_LAST_MILLISECOND = 253_402_300_799_999  # of the year 9999

_Milliseconds = Annotated[int, Field(ge=0, le=_LAST_MILLISECOND)]


def _has_what_is_read(columns: list[str]) -> list[str]:
    if missing := {"result", "params", "version"} - set(columns):
        raise ValueError(f"says nothing of {', '.join(sorted(missing))}")
    return columns


class _Params(ForeignModel):
    machine: Name
    jax: Text | None = None


class File(ForeignModel):
    """What asv found out about a commit on a machine, in an environment."""

    version: Literal[2]
    commit_hash: Commit
    env_name: Name
    date: _Milliseconds
    params: _Params
    result_columns: Annotated[list[str], AfterValidator(_has_what_is_read)]
    results: dict[Name, list[Any]]


class Result(ForeignModel):
    """What asv stores of one benchmark: a list has an element per combination of parameters.

    ``started_at`` is when the last of its rounds began.
    """

    result: list[int | float | None] | None
    params: list[list[Text]]
    version: Text | None
    started_at: _Milliseconds | None = None


def result_of(columns: Sequence[str], stored: Sequence[Any]) -> Result:
    """The stored columns by name; asv leaves out the last ones where they are empty.

    Raises:
        DamagedError: there are more columns than names, or one holds something else.
    """
    if len(stored) > len(columns):
        raise DamagedError(f"has {len(stored)} columns, and there are {len(columns)} names")
    return checked(Result, dict(zip(columns, stored, strict=False)))
