"""A published report and the same report measured again, with whatever numbers a test wants."""

import json

from reports.reproduction.judge import judge_reproduction
from reports.sources.published import SWEEP, manifest_of, pack, read_published
from reports.sources.sweep_file import read_sweep
from tests.reports.written import record, sweep

DIGESTS = {"clusters 256": "aa", "clusters 1024": "bb", "real 700": "cc"}
OTHER_MACHINE = {"cpu": "Another", "vector_extensions": ["avx2", "avx512f"]}
OTHER_CODE = {"commit": "1" * 40}


def measurements(loss="shannon", seconds=0.01, **changes):
    """The measurements of a loss, where a changed one is replaced and None is left out."""
    found = {
        "value": -0.5,
        "result_digest": "dd",
        "flops": 100.0,
        "temp_bytes": 4096,
        "hlo_fingerprint": "ee",
        "value_error": 1e-7,
        "gradient_error": 1e-6,
        "call_seconds": seconds,
        "lower_bound_seconds": seconds / 2,
        "lower_bound_ratio": 2.0,
        "compile_seconds": 1.0,
        **changes,
    }
    return [record(loss, name, value) for name, value in found.items() if value is not None]


def publication(folder, records, **how):
    """A published report without its pages."""
    path = sweep(folder / "sweep.json", records, **{"digests": DIGESTS, **how})
    kept = pack(path, folder / SWEEP)
    (folder / "manifest.json").write_text(
        json.dumps(manifest_of(read_sweep(kept), "headline", [kept]))
    )
    return read_published(folder)


def judged(tmp_path, now, then=None, *, published=None, **again):
    """The reproduction of a report by other records."""
    for name in ("then", "now"):
        (tmp_path / name).mkdir(exist_ok=True)
    report = publication(tmp_path / "then", then or measurements(), **(published or {}))
    path = sweep(tmp_path / "now" / "sweep.json", now, **{"digests": DIGESTS, **again})
    return judge_reproduction(report.sweep, read_sweep(path))
