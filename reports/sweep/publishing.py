"""Keep what a report is made of, show the newest in the README, and build the pages of all."""

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from benchmarks.schema.files import put_text, replacing_file
from reports.sources.measurements import DamagedError
from reports.sources.published import SWEEP, Published, manifest_of, pack, read_published
from reports.sources.results import ReadResults, read_results
from reports.sources.sweep_file import ReadSweep
from reports.sweep.agreement import report_headline
from reports.sweep.page import write_report
from reports.sweep.plots import plots
from reports.writing.folders import replacing_folder
from reports.writing.templating import render

__all__ = ["publish", "rebuild"]

_PLOT = "throughput.png"
# What ratios share with the sweep that they are published beside.
_ORIGIN = ("commit", "dirty", "machine", "cpu")
_OF_EACH_RUN = ("date", "command")
_NEWEST = re.compile(r"(<!-- newest report -->\n).*?(<!-- end of newest report -->)", re.DOTALL)


def publish(read: ReadResults, published: Path, readme: Path) -> Path:
    """Keep a report's measurements, manifest and picture, and show it in the README.

    Pages and tables are not kept: :func:`rebuild` makes them of the sweep and of the ratios that
    were read beside it. Everything is checked and written aside first, then both are replaced.

    Returns:
        The folder of the report.

    Raises:
        DamagedError: there is no complete sweep of a commit to publish, ratios were measured
            elsewhere, a report of another machine has the same name, or the README has no marks
            for the report.
        UnwritableError: the report's folder is not one that may be replaced, or no room is left.
    """
    sweep = _complete(read)
    folder = published / _name(sweep.environment)
    _check_same_origin(folder, sweep)
    text = readme.read_text(encoding="utf-8")
    if not _NEWEST.search(text):
        raise DamagedError(f"{readme}: no marks for the newest report")
    others = _kept(published, folder)
    with replacing_file(readme) as new_readme, replacing_folder(folder) as new_folder:
        _keep(read, sweep, new_folder)
        own = read_published(new_folder)._replace(folder=folder)
        part = _newest(max([own, *others], key=_date), readme)
        put_text(new_readme, _NEWEST.sub(lambda marks: marks[1] + part + marks[2], text))
    return folder


def rebuild(published: Path, output: Path, asv_results: Path) -> Path:
    """Build the pages of all published reports and their list; return the list.

    Where there are results of asv, a page has the history of these and of the published sweeps.

    The same files come of the same reports: byte for byte, where the same versions of the
    packages draw them.

    Raises:
        DamagedError: no report was published, or one is not as it was published.
        UnwritableError: the folder is not one that may be replaced, or no room is left.
    """
    kept = sorted(_kept(published), key=_date, reverse=True)
    if not kept:
        raise DamagedError(f"{published}: no report was published there")
    with replacing_folder(output) as folder:
        for one in kept:
            built = folder / one.folder.name
            built.mkdir()
            files = [one.folder / name for name in one.manifest["results"]]
            write_report(read_results(files), built)
        if asv_results.exists():
            (folder / "history").mkdir()
            sweeps = [one.folder / SWEEP for one in kept]
            write_report(read_results([asv_results, *sweeps]), folder / "history")
        content = {"kept": kept, "has_history": asv_results.exists()}
        put_text(folder / "index.html", render("sweep/published.html.j2", content))
    return output / "index.html"


def _keep(read: ReadResults, sweep: ReadSweep, folder: Path) -> None:
    """Write what is kept of a report."""
    files = [pack(sweep.path, folder / SWEEP)]
    for number, ratios in enumerate(read.beside, start=1):
        files.append(pack(ratios.path, folder / f"ratios-{number}.json.gz"))
    manifest = manifest_of(sweep, report_headline(read), files)
    put_text(folder / "manifest.json", json.dumps(manifest, indent=1, allow_nan=False))
    plot = next(plot for plot in plots(read, history=[]) if f"{plot.name}.png" == _PLOT)
    plot.write_png(folder / _PLOT)


def _complete(read: ReadResults) -> ReadSweep:
    """The sweep to publish: nothing is missing, it is of a commit, and its ratios are its own."""
    if read.newest is None or read.measurements.complaints:
        problems = [str(complaint) for complaint in read.measurements.complaints]
        raise DamagedError("; ".join(problems) or "there is no sweep to publish")
    if read.newest.environment["commit"] is None:
        raise DamagedError(f"{read.newest.path}: environment.commit is unknown, not published")
    if read.newest.commit is None:
        raise DamagedError(
            f"{read.newest.path}: environment.dirty is true, what was measured is no commit"
        )
    for ratios in read.beside:
        for name in _ORIGIN:
            found, expected = (one.environment[name] for one in (ratios, read.newest))
            if found != expected:
                raise DamagedError(
                    f"{ratios.path}: environment.{name} is {found!r}, the sweep's {expected!r}"
                )
    return read.newest


def _name(environment: Mapping[str, Any]) -> str:
    """``<date>-<machine>-<processor>-<commit>``, of letters that any file system takes."""
    named = f"{environment['machine']}-{environment['cpu']}".lower()
    machine = re.sub(r"[^a-z0-9]+", "-", named).strip("-")
    return f"{environment['date'][:10]}-{machine}-{environment['commit'][:8]}"


def _check_same_origin(folder: Path, sweep: ReadSweep) -> None:
    """Refuse to replace a report that was measured elsewhere: machines may share their names."""
    if not (folder / "manifest.json").exists():
        return
    held = read_published(folder).manifest["environment"]
    for name, found in sweep.environment.items():
        if name not in _OF_EACH_RUN and held.get(name) != found:
            raise DamagedError(
                f"{folder}: environment.{name} is {held.get(name)!r} there, and {found!r} in "
                f"{sweep.path}: the report was measured elsewhere and is not replaced"
            )


def _kept(published: Path, renewed: Path | None = None) -> list[Published]:
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
