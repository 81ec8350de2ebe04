"""What a published report consists of, and what it takes to measure it again."""

import gzip
import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from reports.sources.measurements import DamagedError, load_json
from reports.sources.schemas import SWEEP, ManifestFile
from reports.sources.sweep_file import Sweep, read_sweep
from reports.sources.validation import checked

__all__ = ["PAGE_MARKER", "Published", "manifest_of", "pack", "read_published"]

# Lies in every folder of a page, and lists the files that were written there.
PAGE_MARKER = ".diffbio-report"
_SCHEMA_VERSION = 1
_SEED = 0


class Published(NamedTuple):
    """A published report: its folder, its manifest and the sweep it was made of."""

    folder: Path
    manifest: Mapping[str, Any]
    sweep: Sweep


def pack(source: Path, target: Path) -> Path:
    """Compress JSON: the same bytes come of the same content."""
    content = json.dumps(load_json(source), separators=(",", ":"), allow_nan=False)
    target.write_bytes(gzip.compress(content.encode(), mtime=0))
    return target


def manifest_of(sweep: Sweep, headline: str, files: Sequence[Path]) -> dict[str, Any]:
    """The manifest of a report on this sweep, made of these files."""
    sizes = sweep.timed_sizes
    options = " ".join(f"--n-cells={n}" for n in sizes)
    return {
        "schema_version": _SCHEMA_VERSION,
        "headline": headline,
        "command": f"python -m benchmarks sweep {options}",
        "n_cells": sizes,
        "seed": _SEED,
        "environment": sweep.environment,
        "data_digests": sweep.data_digests,
        "results": {path.name: _sha256(path) for path in files},
    }


def read_published(path: Path) -> Published:
    """Read a published report from its folder or its manifest.

    Raises:
        DamagedError: there is none, or its results are no longer those of its manifest.
    """
    folder = path.parent if path.name == "manifest.json" else path
    try:
        content = load_json(folder / "manifest.json")
        manifest = checked(ManifestFile, content)
        for name, digest in manifest.results.items():
            if _sha256(folder / name) != digest:
                raise DamagedError(f"{name} is not the file that was published")
        return Published(folder, content, read_sweep(folder / SWEEP))
    except (DamagedError, OSError) as error:
        raise DamagedError(f"{folder}: not a published report ({error})") from error


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
