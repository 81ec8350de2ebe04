"""What a published report consists of, and what it takes to measure it again."""

import gzip
import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple

from pydantic import Field, model_validator

from benchmarks.schema.differences import differing
from benchmarks.schema.environment import SweepEnvironment
from benchmarks.schema.fields import CellCount, Count, Digest, Name
from reports.sources.measurements import DamagedError, load_json
from reports.sources.sweep_file import ReadSweep, read_complete_sweep
from reports.sources.validation import OwnModel, checked

__all__ = ["PAGE_MARKER", "SWEEP", "Published", "manifest_of", "pack", "read_published"]

# Lies in every folder of a page, and lists the files that were written there.
PAGE_MARKER = ".diffbio-report"
_SCHEMA_VERSION = 1
_SEED = 0
# The compressed sweep of a published report.
SWEEP = "sweep.json.gz"
# None leads out of its folder.
_FileName = Annotated[str, Field(pattern=r"^\w[\w.-]*$")]


class _Manifest(OwnModel):
    """What a published report says of itself."""

    schema_version: Literal[1]
    headline: Name
    command: Name
    n_cells: list[CellCount]
    seed: Count
    environment: SweepEnvironment
    data_digests: dict[Name, Digest]
    results: dict[_FileName, Digest]

    @model_validator(mode="after")
    def _holds_a_sweep(self) -> "_Manifest":
        if SWEEP not in self.results:
            raise ValueError(f"results: there is no {SWEEP} among them")
        return self


class Published(NamedTuple):
    """A published report: its folder, its manifest and the sweep it was made of."""

    folder: Path
    manifest: Mapping[str, Any]
    sweep: ReadSweep


def pack(source: Path, target: Path) -> Path:
    """Compress JSON: the same bytes come of the same content."""
    content = json.dumps(load_json(source), separators=(",", ":"), allow_nan=False)
    target.write_bytes(gzip.compress(content.encode(), mtime=0))
    return target


def manifest_of(sweep: ReadSweep, headline: str, files: Sequence[Path]) -> dict[str, Any]:
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
        DamagedError: there is none, its results are no longer those of its manifest, or they are
            not a complete sweep.
    """
    folder = path.parent if path.name == "manifest.json" else path
    try:
        content = load_json(folder / "manifest.json")
        manifest = checked(_Manifest, content)
        for name, digest in manifest.results.items():
            if _sha256(folder / name) != digest:
                raise DamagedError(f"{name} is not the file that was published")
        sweep = read_complete_sweep(folder / SWEEP)
        _check_same(manifest, sweep)
        return Published(folder, content, sweep)
    except (DamagedError, OSError) as error:
        raise DamagedError(f"{folder}: not a published report ({error})") from error


def _check_same(manifest: _Manifest, sweep: ReadSweep) -> None:
    """Refuse a manifest that tells of another sweep than the one beside it."""
    held = {"n_cells": sweep.timed_sizes, "data_digests": sweep.data_digests}
    found = [
        *differing(held, {name: getattr(manifest, name) for name in held}),
        *differing(sweep.environment, manifest.environment.row()),
    ]
    if found:
        raise DamagedError(f"the manifest is of another sweep: {'; '.join(found)}")


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
