"""Write the page, the same as Markdown, the pictures and the data, into one folder."""

import os
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jinja2
import pandas as pd

from benchmarks.names import ACCURACY_LIMITS
from reports import summary
from reports.figures import pictures
from reports.results import Results

__all__ = ["build"]

_COSTS = {
    "Time per call (ms)": ("call_seconds", 1e3),
    "Throughput (million cells/s)": ("cells_per_second", 1e-6),
    "Temporary memory (MB)": ("temp_bytes", 1e-6),
    "Backend compile time (s)": ("compile_seconds", 1.0),
}


def build(results: Results, source: Path, output: Path) -> Path:
    """Write the report into ``output``, replacing it as a whole, and return the page's path."""
    output.parent.mkdir(parents=True, exist_ok=True)
    unfinished = Path(tempfile.mkdtemp(dir=output.parent, prefix=f".{output.name}-"))
    try:
        unfinished.chmod(0o755)
        _write(results, source, unfinished)
        if output.exists():
            shutil.rmtree(output)
        os.replace(unfinished, output)
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)
    return output / "index.html"


def _write(results: Results, source: Path, folder: Path) -> None:
    drawn = list(pictures(results))
    for picture in drawn:
        (folder / f"{picture.name}.svg").write_text(picture.svg())
        picture.figure.savefig(folder / f"{picture.name}.png", dpi=110)
    results.frame.drop(columns="samples").to_csv(folder / "measurements.csv", index=False)
    results.ratios.to_csv(folder / "ratios.csv", index=False)
    pd.DataFrame(results.v_curves).explode(["steps", "errors"]).to_csv(
        folder / "v-curves.csv", index=False
    )
    shutil.copyfile(source, folder / "sweep.json")
    content = {
        "headline": summary.headline(results),
        "environment": _environment_rows(results.environment),
        "command": results.environment["command"],
        "agreement": summary.agreement(results),
        "limits": ACCURACY_LIMITS,
        "costs": {
            title: factor * summary.cost_table(results, metric)
            for title, (metric, factor) in _COSTS.items()
        },
        "ratios": results.ratios,
        "problems": summary.problems(results),
        "digests": results.data_digests,
        "pictures": drawn,
    }
    templates = _templates()
    for template, page in (("report.html.j2", "index.html"), ("report.md.j2", "report.md")):
        (folder / page).write_text(templates.get_template(template).render(content))


def _templates() -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("reports"),
        autoescape=jinja2.select_autoescape(["html.j2"]),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["error"] = lambda e: "not measured" if e is None else f"{e:.1e}"
    environment.filters["number"] = lambda v: "-" if pd.isna(v) else f"{v:.4g}"
    return environment


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
