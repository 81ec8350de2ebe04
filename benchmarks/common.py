"""What the asv benchmarks share: one sweep in one process, and looking its records up."""

from benchmarks.names import CELL_COUNTS, DEVICES, PROGRAMS, SIMULATED
from benchmarks.records import METRICS

__all__ = ["Swept", "tracked"]


class Swept:
    """Base of the ``track_`` benchmarks: the whole sweep runs once, they look up.

    asv starts a process per benchmark and parameter; measuring in each would spend
    minutes on starting alone.
    """

    params = (PROGRAMS, CELL_COUNTS, DEVICES)
    param_names = ("program", "n_cells", "device")
    timeout = 1800

    def setup_cache(self):
        from pathlib import Path

        from benchmarks.sweep import run_sweep

        path = Path("sweep.json").resolve()
        run_sweep(path)
        return str(path)


def tracked(metric: str):
    """A ``track_`` benchmark that returns the sweep's value of a metric.

    What was not measured is skipped, which asv wants to hear from ``setup``: the same
    error from the benchmark itself would count as a failure.
    """

    def find(path, program, n_cells, device):
        import json
        from pathlib import Path

        loss, transform = program.split(":")
        wanted = {"loss": loss, "transform": transform, "n_cells": n_cells, "device": device}
        wanted |= {"cells": SIMULATED}
        for record in json.loads(Path(path).read_text())["records"]:
            if any(record[name] != value for name, value in wanted.items()):
                continue
            if record["status"] == "failed":
                raise RuntimeError(record["detail"])
            if record["status"] == "ok" and record["metric"] == metric:
                return _number(record["value"])
        raise NotImplementedError(f"{metric} was not measured for {wanted}")

    def look_up(self, path, program, n_cells, device):
        return find(path, program, n_cells, device)

    vars(look_up).update(unit=METRICS[metric].unit, version="1", setup=find)
    return look_up


def _number(value):
    """asv stores numbers; a fingerprint becomes the integer that it is in hexadecimal."""
    return int(value[:12], 16) if isinstance(value, str) else value
