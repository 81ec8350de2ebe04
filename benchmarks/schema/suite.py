"""Names and sizes that tests, benchmarks and reports share; imports nothing heavy.

Two environment variables choose among them when this module is imported, since asv reads
the parameters of its benchmarks then: ``DIFFBIO_BENCH_TIER`` names the sizes,
``DIFFBIO_BENCH_LOSSES`` the losses, separated by commas.
"""

import os
from collections.abc import Sequence

__all__ = [
    "ALL_LOSSES",
    "BENCHMARK_VERSION",
    "CALLS_PER_PROCESS",
    "CELL_COUNTS",
    "CHECKED_CELLS",
    "DEVICES",
    "GRADIENT_PROGRAMS",
    "LOSSES",
    "MESHES",
    "MIXING_NEIGHBORS",
    "OWN_PROCESS_CELLS",
    "OWN_PROCESS_PROGRAMS",
    "PROCESSES",
    "PROGRAMS",
    "RECOMMENDED_NEIGHBORS",
    "REFERENCE_CELLS",
    "SCALING",
    "SMALLEST_CELLS",
    "STEP",
    "STRONG_SCALING",
    "TIER",
    "TIERS",
    "TRACKED_SCALING",
    "TRAINED_CELLS",
    "TRAININGS",
    "TRAINING_PROGRAMS",
    "TRANSFORMS",
    "TRANSITION_NEIGHBORS",
    "WEAK_SCALING",
    "benchmark_version",
    "chosen",
]

ALL_LOSSES = (
    "batch_mixing_recommended",
    "batch_mixing",
    "batch_mixing_local",
    "batch_mixing_precomputed",
    "batch_mixing_simpson",
    "compactness",
    "velocity",
    "velocity_transition",
    "shannon",
    "simpson",
    "combined",
    # New losses are named here.
)
TRANSFORMS = ("value", "value_and_grad")

# Cell counts per tier: smoke for the tools' own tests, quick on every commit, standard on
# main, large by hand.
TIERS = {
    "smoke": (4096,),
    "quick": (256, 4096),
    "standard": (256, 1024, 4096, 16384, 65536),
    "large": (256, 1024, 4096, 16384, 65536, 262144),
}


def chosen(losses: Sequence[str]) -> tuple[str, ...]:
    """The named losses in the catalog's order; all of them for none.

    Raises:
        ValueError: a name that is not in the catalog.
    """
    if unknown := [name for name in losses if name not in ALL_LOSSES]:
        raise ValueError(f"no loss {unknown[0]!r}: accepted are {', '.join(ALL_LOSSES)}")
    return tuple(name for name in ALL_LOSSES if name in losses or not losses)


def _losses() -> tuple[str, ...]:
    text = os.environ.get("DIFFBIO_BENCH_LOSSES", "")
    try:
        return chosen([name.strip() for name in text.split(",")] if text else [])
    except ValueError as error:
        raise ValueError(f"DIFFBIO_BENCH_LOSSES={text!r}: {error}") from None


def _tier() -> str:
    tier = os.environ.get("DIFFBIO_BENCH_TIER", "standard")
    if tier not in TIERS:
        raise ValueError(f"DIFFBIO_BENCH_TIER={tier!r}: accepted are {', '.join(TIERS)}")
    return tier


LOSSES = _losses()
PROGRAMS = tuple(f"{loss}:{transform}" for loss in LOSSES for transform in TRANSFORMS)
GRADIENT_PROGRAMS = tuple(f"{loss}:value_and_grad" for loss in LOSSES)
TIER = _tier()
CELL_COUNTS = TIERS[TIER]
# Some measurements do not depend on the size; asv looks them up at the smallest.
SMALLEST_CELLS = (min(CELL_COUNTS),)
# Programs that asv measures in processes of their own: seconds each, fewer in short tiers.
_SHORT = TIER in ("smoke", "quick")
OWN_PROCESS_PROGRAMS = GRADIENT_PROGRAMS if _SHORT else PROGRAMS
OWN_PROCESS_CELLS = (4096,) if _SHORT else CELL_COUNTS
# asv calls a program in several processes: what slows a process down slows all of its calls.
PROCESSES = 8
CALLS_PER_PROCESS = 5
# A training per model, and the sizes of the minibatches at which its step is measured.
TRAININGS = (
    "batch_corrector",
    "soft_clusterer",
    "velocity_model",
    "integration_autoencoder",
    # New trainings are named here.
)
STEP = "step"
TRAINING_PROGRAMS = tuple(f"{training}:{STEP}" for training in TRAININGS)
TRAINED_CELLS = (256,) if _SHORT else (256, 1024, 4096)
# The references are written for reading; beyond this many cells they take minutes.
REFERENCE_CELLS = 16384
# Cells of the gradient check: differences of the reference, in float64.
CHECKED_CELLS = 64
# Neighbours that the losses search for: the defaults of DiffBio's documentation, and what is
# recommended for batch mixing.
MIXING_NEIGHBORS = 15
RECOMMENDED_NEIGHBORS = 30
TRANSITION_NEIGHBORS = 30
# Always both, so that results of different machines line up; an absent one is skipped.
DEVICES = ("cpu", "gpu")
# Programs of several devices run on virtual devices of a CPU, and are measured per device. A name
# says how many devices there are; it stands where other programs have "cpu" or "gpu".
MESHES = {f"cpu x {n_devices}": n_devices for n_devices in (1, 2, 4, 8)}
# Cells and devices: the same cells over more devices, and more cells with more devices.
STRONG_SCALING = tuple((65536, mesh) for mesh in MESHES)
# What asv tracks of it: every point takes each loss seconds to compile.
TRACKED_SCALING = STRONG_SCALING[-1]
WEAK_SCALING = tuple((8192 * n_devices, mesh) for mesh, n_devices in MESHES.items())
SCALING = (
    (STRONG_SCALING[0], STRONG_SCALING[-1])
    if _SHORT
    else tuple(dict.fromkeys(STRONG_SCALING + WEAK_SCALING))
)
# asv compares results of one version; a benchmark whose meaning changes gets the next one.
BENCHMARK_VERSION = "1"
# Version 1 of the counters counted the body of a loop once; now every round counts. Version 1
# of the times did not say which process a sample came from.
_RENEWED = {
    "flops": "2",
    "bytes_accessed": "2",
    "transcendentals": "2",
    "call_seconds": "2",
    "import_seconds": "2",
}


def benchmark_version(metric: str) -> str:
    """The version of the benchmark that tracks a metric."""
    return _RENEWED.get(metric, BENCHMARK_VERSION)
