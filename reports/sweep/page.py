"""The report on a sweep, as HTML and as Markdown, with its plots and data, in one folder."""

from pathlib import Path
from typing import Any

from benchmarks.schema.files import put_text
from benchmarks.schema.tolerances import TOLERANCES
from reports.sources.measurements import read_text
from reports.sources.results import ReadResults
from reports.sources.sweep_file import ReadSweep
from reports.sweep.agreement import agreements, report_headline
from reports.sweep.history import NEWEST_COMMITS, histories
from reports.sweep.plots import plots
from reports.sweep.tables import cost_table, problems, speeds
from reports.writing.environment import environment_rows
from reports.writing.folders import replacing_folder
from reports.writing.plotting import write_plots
from reports.writing.templating import render_pages

__all__ = ["build_report", "write_report"]

_PAGES = {"sweep/report.html.j2": "index.html", "sweep/report.md.j2": "report.md"}
_COSTS = {
    "Time per call (ms)": ("call_seconds", 1e3),
    "Throughput (million cells/s)": ("cells_per_second", 1e-6),
    "Temporary memory (MB)": ("temp_bytes", 1e-6),
    "Backend compile time (s)": ("compile_seconds", 1.0),
}


def build_report(read: ReadResults, output: Path) -> Path:
    """Write the report into ``output``, replacing it as a whole, and return the page's path."""
    with replacing_folder(output) as folder:
        write_report(read, folder)
    return output / "index.html"


def write_report(read: ReadResults, folder: Path) -> None:
    """Write all files of the report into a folder that is there."""
    history = histories(read.measurements.frame)
    drawn = list(plots(read, history))
    write_plots(folder, drawn)
    put_text(folder / "measurements.csv", read.measurements.frame.to_csv(index=False))
    content = {
        "headline": report_headline(read),
        "complaints": read.measurements.complaints,
        "problems": problems(read.measurements.frame),
        "left_out": read.measurements.left_out,
        "history": history,
        "newest_commits": NEWEST_COMMITS,
        "plots": drawn,
        "ratios": read.ratios,
        "tolerances": TOLERANCES,
        **_sweep_content(read.newest),
    }
    if read.newest is not None:
        put_text(folder / "sweep.json", read_text(read.newest.path))
    render_pages(folder, content, _PAGES)


def _sweep_content(sweep: ReadSweep | None) -> dict[str, Any]:
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
