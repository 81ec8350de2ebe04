"""What differs between then and now, a phrase for every name."""

import reprlib
from collections.abc import Iterable, Mapping
from typing import Any

__all__ = ["differing"]

_ABSENT = object()
_MOST_NAMES = 10
# Values are shown whole, unless a line would become unreadable.
_SHORT = reprlib.Repr()
_SHORT.maxstring = _SHORT.maxother = 200
_SHORT.maxlist = _SHORT.maxdict = 20


def differing(
    then: Mapping[str, Any], now: Mapping[str, Any], names: Iterable[str] | None = None
) -> list[str]:
    """A phrase for every name whose value differs.

    Of lists it says what is missing now, and what was added.

    Args:
        then, now: what is compared.
        names: those that count; all of either mapping by default.
    """
    compared = dict.fromkeys([*then, *now] if names is None else names)
    return [
        _difference(name, then, now)
        for name in compared
        if then.get(name, _ABSENT) != now.get(name, _ABSENT)
    ]


def _difference(name: str, then: Mapping[str, Any], now: Mapping[str, Any]) -> str:
    before, after = then.get(name), now.get(name)
    if isinstance(before, list) and isinstance(after, list):
        sides = {"without": _beyond(before, after), "with": _beyond(after, before)}
        phrases = [f"{word} {', '.join(found)}" for word, found in sides.items() if found]
        if phrases:
            return f"{name} {' and '.join(phrases)}"
    return f"{name} is {_shown(now, name)}, was {_shown(then, name)}"


def _shown(values: Mapping[str, Any], name: str) -> str:
    return _SHORT.repr(values[name]) if name in values else "not said"


def _beyond(these: list[Any], those: list[Any]) -> list[str]:
    """What those lack of these, the first of it and how much more there is."""
    found = [str(one) for one in these if one not in those]
    more = [f"{len(found) - _MOST_NAMES} more"] if len(found) > _MOST_NAMES else []
    return found[:_MOST_NAMES] + more
