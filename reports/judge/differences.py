"""What differs between then and now, a phrase for every name."""

from collections.abc import Collection, Mapping
from typing import Any

__all__ = ["differences"]

_ABSENT = "not said"


def differences(then: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    """A phrase for every name of either mapping whose value differs.

    Lists are compared as sets: the phrase says what is missing from them and what was added.
    """
    names = dict.fromkeys([*then, *now])
    phrases = (_difference(name, then.get(name, _ABSENT), now.get(name, _ABSENT)) for name in names)
    return [phrase for phrase in phrases if phrase]


def _difference(name: str, then: Any, now: Any) -> str:
    if not (isinstance(then, list) and isinstance(now, list)):
        return "" if then == now else f"{name} is {now!r}, was {then!r}"
    sides = {"without": _beyond(then, now), "with": _beyond(now, then)}
    told = [f"{word} {', '.join(found)}" for word, found in sides.items() if found]
    return f"{name} {' and '.join(told)}" if told else ""


def _beyond(these: Collection[Any], those: Collection[Any]) -> list[str]:
    return [str(one) for one in these if one not in those]
