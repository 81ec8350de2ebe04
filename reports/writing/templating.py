"""Templates, filled in: their text is escaped, and numbers are shown with their units."""

import base64
import functools
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jinja2
import markupsafe

from benchmarks.schema.files import put_text, utf_8
from reports.rules.verdicts import GATING, Verdict
from reports.writing.quantities import error, number, percent, quantity

__all__ = ["render", "render_pages"]

# HTML, links, plots, code and the columns of a Markdown table begin or end with one of these.
_SPECIAL = re.compile(r"[&<>|\[\]`]")


def render_pages(folder: Path, content: Mapping[str, Any], pages: Mapping[str, str]) -> None:
    """Fill in templates, each into the file that it is mapped to."""
    for template, page in pages.items():
        put_text(folder / page, render(template, content))


def render(template: str, content: Mapping[str, Any]) -> str:
    """A template, filled in; its text is escaped, in HTML and in Markdown.

    Args:
        template: room and file, ``sweep/report.html.j2``.
        content: what the template names.
    """
    templates = _markdown_templates() if template.endswith(".md.j2") else _templates()
    return templates.get_template(template).render(content)


@functools.cache
def _markdown_templates() -> jinja2.Environment:
    return _templates().overlay(autoescape=True, finalize=_as_text)


@functools.cache
def _templates() -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("reports", ""),
        autoescape=jinja2.select_autoescape(["html.j2"]),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "error": error,
        "number": number,
        "percent": percent,
        "quantity": quantity,
        "unbroken": _unbroken,
        "data_uri": _data_uri,
        "tone": _tone,
    }
    return environment


def _as_text(value: Any) -> markupsafe.Markup:
    """The value on one line, with Markdown's special characters as character references.

    Markup, such as the output of a macro, stays as it is.
    """
    if isinstance(value, markupsafe.Markup):
        return value
    line = " ".join(str(value).splitlines())
    return markupsafe.Markup(_SPECIAL.sub(lambda found: f"&#{ord(found[0])};", line))


def _tone(verdict: str) -> str:
    """The style of a verdict: a bad one, a good one, or neither."""
    return "no" if verdict in GATING else "yes" if verdict == Verdict.IMPROVED else ""


def _data_uri(csv: str) -> str:
    return f"data:text/csv;base64,{base64.b64encode(utf_8(csv)).decode()}"


def _unbroken(text: str) -> markupsafe.Markup:
    """The text with no line break inside of numbers like 1e-05."""
    span = r'<span class="unbroken">\g<0></span>'
    return markupsafe.Markup(re.sub(r"[\d.]+e-\d+", span, str(markupsafe.escape(text))))
