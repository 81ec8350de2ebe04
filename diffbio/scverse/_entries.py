"""Keys that a caller gives, what an AnnData object has under them, and warnings about that."""

import sys
import warnings
from collections.abc import Iterable, Mapping
from typing import Any

import pandas as pd

__all__ = ["column", "entry", "key", "keys", "warn"]


def key(argument: str, value: object) -> str:
    """Require one name."""
    if not isinstance(value, str):
        raise TypeError(f"{argument} must be a string, got {_kind(value)}")
    return value


def keys(argument: str, value: object) -> list[str]:
    """One name or several, as a list."""
    if isinstance(value, str):
        return [value]
    # A column can be iterated over, too, but what it holds are no names.
    names: list[Any] = [None]
    if isinstance(value, Iterable) and not isinstance(value, pd.Series):
        names = list(value)
    if not all(isinstance(name, str) for name in names):
        raise TypeError(f"{argument} must be a string or a list of strings, got {_kind(value)}")
    if not names:
        raise ValueError(f"{argument} must name at least one entry, got an empty list")
    return names


def entry(argument: str, key: str, where: str, entries: Mapping[str, Any] | pd.DataFrame) -> Any:
    """What ``adata.<where>`` has under a key."""
    if key not in entries:
        listed = ", ".join(map(repr, entries)) or "no entries"
        raise KeyError(f"{argument}={key!r} is not in adata.{where}, which has {listed}")
    return entries[key]


def column(argument: str, key: str, where: str, frame: pd.DataFrame) -> pd.Series:
    """The column of a frame under a key, if it is the only one of this name."""
    found = entry(argument, key, where, frame)
    if isinstance(found, pd.DataFrame):
        raise ValueError(
            f"{argument}={key!r} must name one column of adata.{where}, "
            f"got {found.shape[1]} columns of that name"
        )
    return found


def warn(message: str) -> None:
    """Warn as of the line that called the library."""
    depth = 1
    while sys._getframe(depth).f_globals.get("__name__", "").startswith("diffbio."):
        depth += 1
    warnings.warn(message, UserWarning, stacklevel=depth + 1)


def _kind(value: object) -> str:
    if value is None:
        return "None"
    if isinstance(value, list | tuple):
        held = sorted({type(item).__name__ for item in value})
        return f"a {type(value).__name__} of {', '.join(held)}"
    return type(value).__name__
