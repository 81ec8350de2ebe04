"""Keep a report for good, list all that are kept, and show the newest in the README."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from benchmarks.schema.files import write_text
from reports.pages.render import build_report, render
from reports.pages.words import report_headline
from reports.sources.frame import DamagedError
from reports.sources.manifest import Published, manifest_of, read_published
from reports.sources.results import Results

__all__ = ["publish"]

_PICTURE = "throughput.png"
_NEWEST = re.compile(r"(<!-- newest report -->\n).*?(<!-- end of newest report -->)", re.DOTALL)


def publish(read: Results, published: Path, readme: Path) -> Path:
    """Write the report's folder, the index of all and the README's part; return the folder.

    Raises:
        DamagedError: there is no complete sweep to publish, or the README has no place for it.
    """
    if read.newest is None or read.measurements.complaints:
        problems = [str(complaint) for complaint in read.measurements.complaints]
        raise DamagedError("; ".join(problems) or "there is no sweep to publish")
    if not _NEWEST.search(readme.read_text()):
        raise DamagedError(f"{readme}: no place marked for the newest report")
    headline = report_headline(read)
    folder = published / _name(read.newest.environment)
    build_report(read, folder, manifest=manifest_of(read.newest, headline))
    kept = _kept(published)
    write_text(published / "index.html", render("published.html.j2", {"kept": kept}))
    text = _newest(kept[0], readme)
    write_text(readme, _NEWEST.sub(lambda marks: marks[1] + text + marks[2], readme.read_text()))
    return folder


def _name(environment: Mapping[str, Any]) -> str:
    """``<date>-<machine>-<commit>``, of letters that any file system takes."""
    machine = re.sub(r"[^a-z0-9]+", "-", environment["cpu"].lower()).strip("-")
    return f"{environment['date'][:10]}-{machine}-{(environment['commit'] or 'unknown')[:8]}"


def _kept(published: Path) -> list[Published]:
    """All published reports, newest first."""
    found = [read_published(path) for path in published.glob("*/manifest.json")]
    return sorted(found, key=lambda one: one.manifest["environment"]["date"], reverse=True)


def _newest(newest: Published, readme: Path) -> str:
    picture = (newest.folder / _PICTURE).relative_to(readme.parent)
    environment = newest.manifest["environment"]
    jax = environment["packages"]["jax"]
    return (
        f"**{newest.manifest['headline']}**\n\n"
        f"![Time per call over the number of cells, for every loss]({picture})\n\n"
        f"*{environment['date'][:10]}, {environment['cores']} cores of {environment['cpu']}, "
        f"jax {jax}, commit {environment['commit'][:8]}. `python -m reports reproduce "
        f"{newest.folder.relative_to(readme.parent)}` measures it again.*\n"
    )
