"""Keep a report for good, list all that are kept, and show the newest in the README."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from benchmarks.schema.files import UnwritableError, replacing_file, write_json
from reports.pages.folders import replacing_folder
from reports.pages.report import write_report
from reports.pages.templating import render
from reports.pages.words import report_headline
from reports.sources.frame import DamagedError
from reports.sources.manifest import Published, manifest_of, read_published
from reports.sources.results import Results
from reports.sources.sweep import Sweep

__all__ = ["check_asv_pages", "publish"]

_PLOT = "throughput.png"
_NEWEST = re.compile(r"(<!-- newest report -->\n).*?(<!-- end of newest report -->)", re.DOTALL)


def publish(read: Results, published: Path, readme: Path) -> Path:
    """Write the report's folder, the index of all and the README's part; return the folder.

    Everything is checked and written aside first, then all three take their places.

    Raises:
        DamagedError: there is no complete sweep to publish, or the README has no place for it.
        UnwritableError: the report's folder is not one that may be replaced, or no room is left.
    """
    sweep = _complete(read)
    folder, index = published / _name(sweep.environment), published / "index.html"
    text = readme.read_text()
    if not _NEWEST.search(text):
        raise DamagedError(f"{readme}: no place marked for the newest report")
    others = _kept(published, folder)
    with (
        replacing_file(readme) as new_readme,
        replacing_file(index) as new_index,
        replacing_folder(folder) as new_folder,
    ):
        write_report(read, new_folder)
        write_json(new_folder / "manifest.json", manifest_of(sweep, report_headline(read)))
        own = read_published(new_folder)._replace(folder=folder)
        kept = sorted([own, *others], key=_date, reverse=True)
        new_index.write_text(render("published.html.j2", {"kept": kept}))
        part = _newest(kept[0], readme)
        new_readme.write_text(_NEWEST.sub(lambda marks: marks[1] + part + marks[2], text))
    return folder


def check_asv_pages(folder: Path) -> None:
    """Refuse to let asv empty a folder that holds anything but its pages.

    Raises:
        UnwritableError: something else is there.
    """
    if folder.is_symlink() or (folder.exists() and not folder.is_dir()):
        raise UnwritableError(f"{folder}: not a folder, it is not replaced")
    if folder.exists() and any(folder.iterdir()) and not (folder / "asv.js").exists():
        raise UnwritableError(f"{folder}: does not hold asv's pages, it is not replaced")


def _complete(read: Results) -> Sweep:
    """The sweep to publish, of which nothing is missing and whose commit is known."""
    if read.newest is None or read.measurements.complaints:
        problems = [str(complaint) for complaint in read.measurements.complaints]
        raise DamagedError("; ".join(problems) or "there is no sweep to publish")
    if read.newest.environment["commit"] is None:
        raise DamagedError(f"{read.newest.path}: environment.commit is unknown, not published")
    return read.newest


def _name(environment: Mapping[str, Any]) -> str:
    """``<date>-<machine>-<commit>``, of letters that any file system takes."""
    machine = re.sub(r"[^a-z0-9]+", "-", environment["cpu"].lower()).strip("-")
    return f"{environment['date'][:10]}-{machine}-{environment['commit'][:8]}"


def _kept(published: Path, renewed: Path) -> list[Published]:
    """All published reports but the one that is renewed."""
    manifests = published.glob("*/manifest.json")
    return [read_published(path) for path in manifests if path.parent != renewed]


def _date(one: Published) -> str:
    return one.manifest["environment"]["date"]


def _newest(newest: Published, readme: Path) -> str:
    plot = (newest.folder / _PLOT).relative_to(readme.parent)
    environment = newest.manifest["environment"]
    jax = environment["packages"]["jax"]
    return (
        f"**{newest.manifest['headline']}**\n\n"
        f"![Time per call over the number of cells, for every loss]({plot})\n\n"
        f"*{environment['date'][:10]}, {environment['cores']} cores of {environment['cpu']}, "
        f"jax {jax}, commit {environment['commit'][:8]}. `python -m reports reproduce "
        f"{newest.folder.relative_to(readme.parent)}` measures it again.*\n"
    )
