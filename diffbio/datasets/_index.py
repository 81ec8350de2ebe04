"""Downloads from the package indices that pip is configured for."""

import ast
import ssl
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from diffbio.datasets._errors import DataError, OfflineError

if TYPE_CHECKING:
    from unearth import PackageFinder

__all__ = ["download"]

# The later section overrides the earlier one, as in pip.
_SECTIONS = ("global", "download", ":env:")


def download(project: str, filename: str, sha256: str, folder: Path) -> Path:
    """Download a file of a project, whose SHA-256 is known, without unpacking or building it.

    ``pip download`` would run the build backend of a source distribution. This function asks
    pip for no more than its settings: indices, links, certificates and proxy. Where one index
    lacks the file, or offers another one of that name, the next is asked.

    Args:
        project: name on the index.
        filename: of the archive.
        sha256: of the archive.
        folder: where the file goes.

    Returns:
        The path of the file. It lies elsewhere if the index is a folder.

    Raises:
        DataError: no index offers the file; the message says what is wrong with each.
        OfflineError: likewise, and an index could not be reached.
    """
    import httpx2
    from unearth.errors import UnpackError

    obstacles: list[str] = []
    kind = DataError
    for source, finder in _sources(_pip_settings()):
        try:
            return _download(finder, project, filename, sha256, folder)
        except httpx2.TransportError as error:
            kind = OfflineError
            obstacles.append(f"{source} cannot be reached ({error})")
        except (httpx2.HTTPError, UnpackError, DataError, OSError, ValueError) as error:
            obstacles.append(f"{source}: {' '.join(str(error).split())}")
    raise kind("; ".join(obstacles) or "pip is configured for no index")


def _download(
    finder: "PackageFinder", project: str, filename: str, sha256: str, folder: Path
) -> Path:
    packages = finder.find_all_packages(project, allow_yanked=True)
    links = [package.link for package in packages if package.link.filename == filename]
    if not links:
        raise DataError("the file is not there")
    return finder.download(links[0], folder, {"sha256": [sha256]})


def _pip_settings() -> dict[str, str]:
    """What pip is configured with by files and environment, by the long name of the option."""
    command = [sys.executable, "-m", "pip", "config", "list"]
    listed = subprocess.run(command, capture_output=True, text=True, check=False)
    if listed.returncode:
        raise DataError(f"pip, which knows the package index, fails: {listed.stderr.strip()}")
    pairs = [line.partition("=") for line in listed.stdout.splitlines()]
    values = {key: ast.literal_eval(value) for key, _, value in pairs}
    return {
        key.removeprefix(f"{section}."): value
        for section in _SECTIONS
        for key, value in values.items()
        if key.startswith(f"{section}.")
    }


def _sources(settings: Mapping[str, str]) -> Iterator[tuple[str, "PackageFinder"]]:
    """A finder for each source, the main index first, with the name that an error gives it."""
    from unearth import Link, PackageFinder
    from unearth.auth import MultiDomainBasicAuth
    from unearth.fetchers import PyPIClient

    hosts = settings.get("trusted-host", "").split()
    cert, proxy = settings.get("cert"), settings.get("proxy")
    options: dict[str, Any] = {"proxy": proxy} if proxy else {}
    if cert:
        options["verify"] = ssl.create_default_context(cafile=cert)
    indices, links = _indices(settings), settings.get("find-links", "").split()
    session: Any = PyPIClient(trusted_hosts=hosts, **options)
    with session:
        session.auth = MultiDomainBasicAuth(prompting=False, index_urls=indices)
        for place, url in enumerate([*indices, *links]):
            finder = PackageFinder(session, trusted_hosts=hosts, ignore_compatibility=True)
            finder.sources = [
                {"url": url, "type": "index" if place < len(indices) else "find_links"}
            ]
            yield Link(url).redacted if "://" in url else url, finder


def _indices(settings: Mapping[str, str]) -> list[str]:
    """The main index, by default unearth's, and those beside it; none if pip is to use none."""
    from unearth import PackageFinder

    if settings.get("no-index", "").lower() in ("1", "true", "yes", "on"):
        return []
    (default,) = (source["url"] for source in PackageFinder().sources)
    extra = settings.get("extra-index-url", "").split()
    return [settings.get("index-url", default), *extra]
