"""What a command of the suite does to its own process before it begins."""

import io
import sys
from collections.abc import Iterator
from contextlib import contextmanager

__all__ = ["naming_choices", "print_in_any_locale"]


def print_in_any_locale() -> None:
    """Escape what the terminal's encoding has no sign for, instead of raising an error."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")


@contextmanager
def naming_choices() -> Iterator[None]:
    """Exit 2, with a line that says why, if the environment chooses what the suite lacks.

    The suite reads the environment when it is imported, which is before any command begins.
    Exit code 1 says that a change fails.
    """
    try:
        yield
    except ValueError as error:
        sys.stderr.write(f"{error}\n")
        raise SystemExit(2) from None
