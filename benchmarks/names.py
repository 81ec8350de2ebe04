"""Names and sizes that every view shares; imports nothing, so that asv starts fast."""

__all__ = ["CELL_COUNTS", "DEVICES", "LOSSES", "PROGRAMS", "REAL", "SIMULATED", "TRANSFORMS"]

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
)
TRANSFORMS = ("value", "value_and_grad")
PROGRAMS = tuple(f"{loss}:{transform}" for loss in LOSSES for transform in TRANSFORMS)
CELL_COUNTS = (256, 1024, 4096, 16384)
# Always both, so that results of different machines line up; an absent one is skipped.
DEVICES = ("cpu", "gpu")
SIMULATED, REAL = "simulated", "real"
