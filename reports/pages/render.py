"""Write pages, the same as Markdown, the pictures and the data, into one folder."""

import base64
import functools
import re
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jinja2
import markupsafe
import pandas as pd

from benchmarks.schema.tolerances import TOLERANCES
from reports.judge import agreement
from reports.judge.commits import Comparison, described
from reports.judge.history import courses
from reports.pages.folders import replacing_folder
from reports.pages.markdown import as_text
from reports.pages.plots import pictures
from reports.sources.results import Results
from reports.sources.sweep import Sweep

__all__ = ["build_comparison", "build_report", "render", "write_report"]

_COSTS = {
    "Time per call (ms)": ("call_seconds", 1e3),
    "Throughput (million cells/s)": ("cells_per_second", 1e-6),
    "Temporary memory (MB)": ("temp_bytes", 1e-6),
    "Backend compile time (s)": ("compile_seconds", 1.0),
}
# A comment must stay below what code hosts accept.
_LONGEST_COMMENT = 60_000
_MOST_COMMENTED_ROWS = 50


def build_report(read: Results, output: Path) -> Path:
    """Write the report into ``output``, replacing it as a whole, and return the page's path."""
    with replacing_folder(output) as folder:
        write_report(read, folder)
    return output / "index.html"


def build_comparison(comparison: Comparison, output: Path) -> Path:
    """Write a comparison's page, comment and rows likewise."""
    with replacing_folder(output) as folder:
        _write_comparison(comparison, folder)
    return output / "index.html"


def write_report(read: Results, folder: Path) -> None:
    """Write all files of the report into a folder that is there."""
    history = courses(read.measurements.frame)
    drawn = list(pictures(read, history))
    for picture in drawn:
        (folder / f"{picture.name}.svg").write_text(picture.svg)
        picture.figure.savefig(folder / f"{picture.name}.png", dpi=110)
        (folder / f"{picture.name}.csv").write_text(picture.csv)
    measurements = read.measurements.frame.drop(columns="samples").to_csv(index=False)
    (folder / "measurements.csv").write_text(measurements)
    content = {
        "headline": agreement.headline(read),
        "complaints": read.measurements.complaints,
        "problems": agreement.problems(read.measurements.frame),
        "history": history,
        "pictures": drawn,
        "ratios": read.ratios,
        "tolerances": TOLERANCES,
        "measurements": measurements,
        **_sweep_content(read.newest),
    }
    if read.newest is not None:
        shutil.copyfile(read.newest.path, folder / "sweep.json")
    _render(folder, content, {"report.html.j2": "index.html", "report.md.j2": "report.md"})


def _sweep_content(sweep: Sweep | None) -> dict[str, Any]:
    """What a page says about the newest sweep; nothing where there is none."""
    if sweep is None:
        nothing: dict[str, Any] = {"environment": {}, "costs": {}, "digests": {}}
        return {**nothing, "command": None, "agreement": [], "claims": []}
    return {
        "environment": _environment_rows(sweep.environment),
        "command": sweep.environment["command"],
        "agreement": agreement.agreement(sweep),
        "costs": {
            title: factor * agreement.cost_table(sweep, metric)
            for title, (metric, factor) in _COSTS.items()
        },
        "digests": sweep.data_digests,
        "claims": sweep.claims,
    }


def _write_comparison(comparison: Comparison, folder: Path) -> None:
    verdicts = comparison.verdicts.to_csv(index=False)
    (folder / "verdicts.csv").write_text(verdicts)
    listed = described(comparison.listed)
    content = {
        "headline": comparison.headline,
        "base": comparison.base,
        "head": comparison.head,
        "complaints": comparison.complaints,
        "changes": comparison.table,
        "per_loss": comparison.per_loss,
        "listed": listed,
        "folded": described(comparison.folded),
        "n_skipped": comparison.n_skipped,
        "n_shown": _MOST_COMMENTED_ROWS,
        "n_gating": int(comparison.gates.sum()),
        "verdicts": verdicts,
    }
    _render(folder, content, {"comparison.html.j2": "index.html", "comparison.md.j2": "comment.md"})
    comment = folder / "comment.md"
    comment.write_text(comment.read_text()[:_LONGEST_COMMENT])


def _render(folder: Path, content: Mapping[str, Any], pages: Mapping[str, str]) -> None:
    for template, page in pages.items():
        (folder / page).write_text(render(template, content))


def render(template: str, content: Mapping[str, Any]) -> str:
    """A template of the reports, filled in; text is text there, in HTML and in Markdown."""
    templates = _markdown_templates() if template.endswith(".md.j2") else _templates()
    return templates.get_template(template).render(content)


@functools.cache
def _markdown_templates() -> jinja2.Environment:
    return _templates().overlay(autoescape=True, finalize=as_text)


@functools.cache
def _templates() -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("reports.pages"),
        autoescape=jinja2.select_autoescape(["html.j2"]),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["error"] = lambda e, absent="not measured": (
        absent if e is None else f"{e:.1e}"
    )
    environment.filters["number"] = _number
    environment.filters["unbroken"] = _unbroken
    environment.filters["data_uri"] = lambda csv: (
        f"data:text/csv;base64,{base64.b64encode(csv.encode()).decode()}"
    )
    return environment


def _unbroken(text: str) -> markupsafe.Markup:
    """The text with no line break inside of numbers like 1e-05."""
    span = r'<span class="unbroken">\g<0></span>'
    return markupsafe.Markup(re.sub(r"[\d.]+e-\d+", span, str(markupsafe.escape(text))))


def _number(value: Any) -> str:
    if isinstance(value, str):
        return value
    return "-" if value is None or pd.isna(value) else f"{value:.4g}"


def _environment_rows(environment: Mapping[str, Any]) -> dict[str, str]:
    """The environment in words."""
    packages = ", ".join(f"{name} {v}" for name, v in environment["packages"].items())
    tree = "with uncommitted changes" if environment["dirty"] else "clean"
    return {
        "Date": environment["date"],
        "CPU": f"{environment['cpu']}, {environment['cores']} cores, {environment['architecture']}",
        "Vector extensions": ", ".join(environment["vector_extensions"]) or "none found",
        "Memory": f"{environment['memory_bytes'] / 2**30:.0f} GiB",
        "Devices": ", ".join(environment["devices"]),
        "System": f"{environment['os']}, Python {environment['python']}",
        "Packages": packages,
        "XLA_FLAGS": environment["xla_flags"] or "not set",
        "Commit": f"{environment['commit'] or 'unknown'} ({tree})",
    }
