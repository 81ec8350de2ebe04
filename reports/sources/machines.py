"""What asv wrote down about the machines that it measured on."""

from pathlib import Path

from reports.sources.frame import DamagedError, load_json

__all__ = ["processor_of"]


def processor_of(folder: Path, machine: str) -> str:
    """Processor and cores of a machine in asv's results folder; its name where asv has none."""
    try:
        known = load_json(folder / machine / "machine.json")
        return f"{known['cpu']}, {known['num_cpu']} cores"
    except (DamagedError, KeyError, TypeError):
        return f"machine {machine}"
