"""Names and sizes that every view shares; imports nothing heavy, for the reports."""

import os

__all__ = [
    "BENCHMARK_VERSION",
    "CELL_COUNTS",
    "CHECKED_CELLS",
    "DEVICES",
    "GRADIENT_PROGRAMS",
    "LOSSES",
    "MIXING_NEIGHBORS",
    "OWN_PROCESS_CELLS",
    "OWN_PROCESS_PROGRAMS",
    "PROGRAMS",
    "REFERENCE_CELLS",
    "REPORT_CELLS",
    "TIER",
    "TIERS",
    "TRANSFORMS",
    "TRANSITION_NEIGHBORS",
    "benchmark_version",
]

LOSSES = (
    "batch_mixing",
    "batch_mixing_local",
    "batch_mixing_precomputed",
    "compactness",
    "velocity",
    "velocity_transition",
    "shannon",
    "simpson",
    "combined",
    # New losses are named here.
)
TRANSFORMS = ("value", "value_and_grad")
PROGRAMS = tuple(f"{loss}:{transform}" for loss in LOSSES for transform in TRANSFORMS)
GRADIENT_PROGRAMS = tuple(f"{loss}:value_and_grad" for loss in LOSSES)

# Cell counts per tier: quick on every commit, standard on main, large by hand.
TIERS = {
    "quick": (256, 4096),
    "standard": (256, 1024, 4096, 16384, 65536),
    "large": (256, 1024, 4096, 16384, 65536, 262144),
}


def _tier() -> str:
    tier = os.environ.get("DIFFBIO_BENCH_TIER", "standard")
    if tier not in TIERS:
        raise ValueError(f"DIFFBIO_BENCH_TIER={tier!r}: accepted are {', '.join(TIERS)}")
    return tier


TIER = _tier()
CELL_COUNTS = TIERS[TIER]
# What is measured in a process of its own, seconds each: less of it in the quick tier.
OWN_PROCESS_PROGRAMS = GRADIENT_PROGRAMS if TIER == "quick" else PROGRAMS
OWN_PROCESS_CELLS = (4096,) if TIER == "quick" else CELL_COUNTS
REPORT_CELLS = (256, 1024, 4096, 16384)
# The references are written for reading; beyond this many cells they take minutes.
REFERENCE_CELLS = 16384
# Cells of the gradient check: differences of the reference, in float64.
CHECKED_CELLS = 64
# Neighbours that the losses search for: the document's defaults.
MIXING_NEIGHBORS = 15
TRANSITION_NEIGHBORS = 30
# Always both, so that results of different machines line up; an absent one is skipped.
DEVICES = ("cpu", "gpu")
# asv compares results of one version; a benchmark that measures something else gets the next.
BENCHMARK_VERSION = "1"
_RENEWED = {"flops": "2", "bytes_accessed": "2", "transcendentals": "2"}


def benchmark_version(metric: str) -> str:
    """The version of the benchmark that tracks a metric."""
    return _RENEWED.get(metric, BENCHMARK_VERSION)
