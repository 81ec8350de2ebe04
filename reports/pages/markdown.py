"""Text from files in Markdown: it shows as it is, whatever it holds."""

import re
from typing import Any

import markupsafe

__all__ = ["as_text"]

# HTML, links, pictures, code and the columns of a table begin or end with one of these.
_SPECIAL = re.compile(r"[&<>|\[\]`]")


def as_text(value: Any) -> markupsafe.Markup:
    """The value on one line, with character references for what Markdown would take for its own.

    What is marked up already stays as it is: the output of a macro.
    """
    if isinstance(value, markupsafe.Markup):
        return value
    line = " ".join(str(value).splitlines())
    return markupsafe.Markup(_SPECIAL.sub(lambda found: f"&#{ord(found[0])};", line))
