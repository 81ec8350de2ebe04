"""What differs between then and now, a phrase for every name."""

from collections.abc import Mapping
from typing import Any

__all__ = ["differing"]

_ABSENT = "not said"


def differing(then: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    """A phrase for every name of either mapping whose value differs.

    Of lists it says what is missing now, and what was added.
    """
    names = dict.fromkeys([*then, *now])
    both = {name: (then.get(name, _ABSENT), now.get(name, _ABSENT)) for name in names}
    return [_difference(name, *values) for name, values in both.items() if values[0] != values[1]]


def _difference(name: str, then: Any, now: Any) -> str:
    if isinstance(then, list) and isinstance(now, list):
        sides = {"without": _beyond(then, now), "with": _beyond(now, then)}
        told = [f"{word} {', '.join(found)}" for word, found in sides.items() if found]
        if told:
            return f"{name} {' and '.join(told)}"
    return f"{name} is {now!r}, was {then!r}"


def _beyond(these: list[Any], those: list[Any]) -> list[str]:
    return [str(one) for one in these if one not in those]
