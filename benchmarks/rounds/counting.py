"""The process that takes the deterministic figures of a side into the file that it is told."""

import sys
from pathlib import Path

from benchmarks.measure.sweep.run import run_counters
from benchmarks.schema.children import end_with_caller
from benchmarks.schema.rounds import CALLED_CELLS

if __name__ == "__main__":
    end_with_caller()
    run_counters(Path(sys.argv[1]), CALLED_CELLS)
