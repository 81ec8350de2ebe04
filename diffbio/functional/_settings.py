"""The settings of a loss: what its program is compiled for, beside shapes and dtypes."""

from collections.abc import Callable
from dataclasses import field, fields
from functools import partial
from typing import Any, TypeVar

from diffbio import _checks

__all__ = ["Settings", "one_of", "option"]

S = TypeVar("S", bound="Settings")
Check = Callable[[str, Any], Any]


def option(default: Any, check: Check) -> Any:
    """A field of settings, with what reads it as a caller gives it and refuses what is wrong."""
    return field(default=default, metadata={"check": check})


def one_of(names: tuple[str, ...]) -> Check:
    """The check of an option that is one of these names."""
    return partial(_checks.choice, choices=names)


class Settings:
    """Base of the frozen, hashable record that each loss with such options has.

    The functions make it of their arguments, hand it to their compiled core as its static
    argument, and a module of the loss holds it.
    """

    @classmethod
    def of(cls: type[S], **options: Any) -> S:
        """The settings, checked, of arguments as a caller gives them."""
        checks = {option.name: option.metadata["check"] for option in fields(cls)}  # type: ignore[arg-type]
        unknown = [name for name in options if name not in checks]
        if unknown:
            raise TypeError(f"{unknown[0]} is no option; there are {', '.join(checks)}")
        return cls(**{name: checks[name](name, value) for name, value in options.items()})
