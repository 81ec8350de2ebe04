"""What a command of the suite does to its own process before it begins."""

import io
import sys

__all__ = ["print_in_any_locale"]


def print_in_any_locale() -> None:
    """Escape what the terminal's encoding has no sign for, instead of raising an error."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")
