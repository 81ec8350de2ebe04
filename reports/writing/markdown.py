"""Escapes text from files, so that Markdown shows it as it is."""

import re
from typing import Any

import markupsafe

__all__ = ["as_text"]

# HTML, links, plots, code and the columns of a table begin or end with one of these.
_SPECIAL = re.compile(r"[&<>|\[\]`]")


def as_text(value: Any) -> markupsafe.Markup:
    """The value on one line, with Markdown's special characters as character references.

    Markup, such as the output of a macro, stays as it is.
    """
    if isinstance(value, markupsafe.Markup):
        return value
    line = " ".join(str(value).splitlines())
    return markupsafe.Markup(_SPECIAL.sub(lambda found: f"&#{ord(found[0])};", line))
