"""Names and sizes that every view shares; imports nothing, so that asv starts fast."""

__all__ = [
    "ACCURACY_LIMITS",
    "CELL_COUNTS",
    "DEVICES",
    "LOSSES",
    "PROGRAMS",
    "REAL",
    "SIMULATED",
    "TRANSFORMS",
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
)
TRANSFORMS = ("value", "value_and_grad")
PROGRAMS = tuple(f"{loss}:{transform}" for loss in LOSSES for transform in TRANSFORMS)
CELL_COUNTS = (256, 1024, 4096, 16384)
# Always both, so that results of different machines line up; an absent one is skipped.
DEVICES = ("cpu", "gpu")
SIMULATED, REAL = "simulated", "real"

# What counts as agreement in float32 (values, gradients) and for float64 differences.
ACCURACY_LIMITS = {
    "value_error": 1e-5,
    "gradient_error": 1e-4,
    "finite_difference_error": 1e-7,
}
