"""Write pages, as HTML and as Markdown, with their plots and data, into one folder."""

import base64
import functools
import re
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import jinja2
import markupsafe
import pandas as pd

from benchmarks.schema.tolerances import TOLERANCES
from reports.judge.agreement import agreements
from reports.judge.commits import Comparison
from reports.judge.history import courses
from reports.judge.verdict import GATING, WALL_CLOCK, Verdict
from reports.pages.folders import replacing_folder
from reports.pages.markdown import as_text
from reports.pages.panels import Plot
from reports.pages.plots import plots
from reports.pages.quantities import error, number, percent, quantity
from reports.pages.tables import cost_table, problems, speeds
from reports.pages.words import report_headline, verdict_headline
from reports.sources.results import Results
from reports.sources.sweep import Sweep

__all__ = [
    "build_comparison",
    "build_report",
    "environment_rows",
    "render",
    "render_pages",
    "write_plots",
    "write_report",
]

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
    """Write a comparison into ``output``, replacing it as a whole, and return the page's path."""
    with replacing_folder(output) as folder:
        _write_comparison(comparison, folder)
    return output / "index.html"


def write_report(read: Results, folder: Path) -> None:
    """Write all files of the report into a folder that is there."""
    history = courses(read.measurements.frame)
    drawn = list(plots(read, history))
    write_plots(folder, drawn)
    measurements = read.measurements.frame.drop(columns="samples").to_csv(index=False)
    (folder / "measurements.csv").write_text(measurements)
    content = {
        "headline": report_headline(read),
        "complaints": read.measurements.complaints,
        "problems": problems(read.measurements.frame),
        "history": history,
        "plots": drawn,
        "ratios": read.ratios,
        "tolerances": TOLERANCES,
        "measurements": measurements,
        **_sweep_content(read.newest),
    }
    if read.newest is not None:
        shutil.copyfile(read.newest.path, folder / "sweep.json")
    render_pages(folder, content, {"report.html.j2": "index.html", "report.md.j2": "report.md"})


def write_plots(folder: Path, drawn: Sequence[Plot]) -> None:
    """Write each plot as SVG and PNG, and its numbers as CSV."""
    for plot in drawn:
        (folder / f"{plot.name}.svg").write_text(plot.svg)
        plot.figure.savefig(folder / f"{plot.name}.png", dpi=110)
        (folder / f"{plot.name}.csv").write_text(plot.csv)


def _sweep_content(sweep: Sweep | None) -> dict[str, Any]:
    """What a page says about the newest sweep; nothing where there is none."""
    if sweep is None:
        nothing: dict[str, Any] = {"environment": {}, "costs": {}, "digests": {}}
        return {**nothing, "command": None, "speeds": [], "agreements": []}
    return {
        "environment": environment_rows(sweep.environment),
        "command": sweep.environment["command"],
        "speeds": speeds(sweep),
        "agreements": agreements(sweep),
        "costs": {
            title: factor * cost_table(sweep, metric) for title, (metric, factor) in _COSTS.items()
        },
        "digests": sweep.data_digests,
    }


def _write_comparison(comparison: Comparison, folder: Path) -> None:
    verdicts = comparison.verdicts.to_csv(index=False)
    (folder / "verdicts.csv").write_text(verdicts)
    content = {
        "comparison": comparison,
        "headline": verdict_headline(comparison.verdicts, comparison.answer),
        "complaints": comparison.complaints,
        "environments": list(comparison.verdicts["environment"].unique()),
        "listed": _rows(comparison.listed),
        "folded": _rows(comparison.folded),
        "n_shown": _MOST_COMMENTED_ROWS,
        "n_gating": int(comparison.gates.sum()),
        "verdicts": verdicts,
    }
    render_pages(
        folder, content, {"comparison.html.j2": "index.html", "comparison.md.j2": "comment.md"}
    )
    comment = folder / "comment.md"
    comment.write_text(comment.read_text()[:_LONGEST_COMMENT])


def _rows(verdicts: pd.DataFrame) -> list[Any]:
    return list(verdicts.itertuples(index=False))


def render_pages(folder: Path, content: Mapping[str, Any], pages: Mapping[str, str]) -> None:
    """Fill in templates, each into the file that it is mapped to."""
    for template, page in pages.items():
        (folder / page).write_text(render(template, content))


def render(template: str, content: Mapping[str, Any]) -> str:
    """A template of the reports, filled in; its text is escaped, in HTML and in Markdown."""
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
    environment.filters |= {
        "error": error,
        "number": number,
        "percent": percent,
        "quantity": quantity,
        "threshold": _threshold,
        "tone": _tone,
        "unbroken": _unbroken,
        "data_uri": _data_uri,
    }
    return environment


def _threshold(row: Any) -> str:
    """How much counts as a change: a share of a time, an amount of anything else."""
    if row.kind in WALL_CLOCK and pd.notna(row.threshold):
        return f"{row.threshold:.0%}"
    return quantity(row.threshold, row.unit)


def _tone(verdict: str) -> str:
    """The style of a verdict: a bad one, a good one, or neither."""
    return "no" if verdict in GATING else "yes" if verdict == Verdict.IMPROVED else ""


def _data_uri(csv: str) -> str:
    return f"data:text/csv;base64,{base64.b64encode(csv.encode()).decode()}"


def _unbroken(text: str) -> markupsafe.Markup:
    """The text with no line break inside of numbers like 1e-05."""
    span = r'<span class="unbroken">\g<0></span>'
    return markupsafe.Markup(re.sub(r"[\d.]+e-\d+", span, str(markupsafe.escape(text))))


def environment_rows(environment: Mapping[str, Any]) -> dict[str, str]:
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
