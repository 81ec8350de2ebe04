"""What the commands of measuring and reporting share."""

import io
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click

from benchmarks.schema.files import UnwritableError, check_replaceable, json_with

__all__ = ["errors_in_one_line", "json_option", "naming_choices", "print_in_any_locale"]


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


@contextmanager
def errors_in_one_line(*stopping: type[Exception]) -> Iterator[None]:
    """Say in one line what stops a command: exit 2 for an error, 130 for an interrupt.

    Args:
        stopping: the errors that have a message for the user, beside ``UnwritableError``.
    """
    print_in_any_locale()
    errors: tuple[type[Exception], ...] = (UnwritableError, *stopping)
    try:
        yield
    except errors as error:
        click.echo(str(error), err=True)
        raise click.exceptions.Exit(2) from None
    except KeyboardInterrupt as interrupt:
        click.echo(f"interrupted; {interrupt}".rstrip("; "), err=True)
        raise click.exceptions.Exit(130) from None


def json_option(flag: str, kind: str, *names: str, **settings: Any) -> Callable[..., Any]:
    """An option for a path to write; another kind of file there is refused before any work.

    Args:
        flag: the option.
        kind: what the file will hold, for the message.
        names: a file of this kind is a JSON object, or a list of objects, that has them.
        settings: of the option.
    """

    def check(_: click.Context, __: click.Parameter, path: Path | None) -> Path | None:
        if path is not None:
            with errors_in_one_line():
                check_replaceable(path, kind, json_with(*names))
        return path

    return click.option(
        flag,
        "path",
        type=click.Path(dir_okay=False, path_type=Path),
        show_default=True,
        callback=check,
        help="JSON file to write.",
        **settings,
    )
