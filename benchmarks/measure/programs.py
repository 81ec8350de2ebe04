"""How one program is measured: compile phases, counters, seconds of calls, retraces.

Every function takes what it measures as an argument; none knows the catalog's contents.
"""

import hashlib
import re
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

import jax
import numpy as np
import psutil
from jax.experimental.compilation_cache import compilation_cache

from benchmarks.catalog.cases import Arrays, Case
from benchmarks.measure.program_text.work import work_of

__all__ = [
    "CompilePhases",
    "Program",
    "call_in_turn",
    "clock",
    "compile_cold",
    "compile_warm",
    "count_retraces",
    "counters",
    "keeping_programs_in",
    "lacking_memory",
    "program",
    "warm_up",
]


_FEW_CELLS = 64


@dataclass(frozen=True)
class Program:
    """A transform of a loss and the device arrays that it is called with."""

    function: Callable[..., Any]
    differentiated: Mapping[str, jax.Array]
    constant: Mapping[str, jax.Array]

    @property
    def arguments(self) -> tuple[Mapping[str, jax.Array], Mapping[str, jax.Array]]:
        """The arguments of the function and of its compiled form."""
        return self.differentiated, self.constant

    @property
    def arrays(self) -> dict[str, jax.Array]:
        """All inputs by name."""
        return {**self.differentiated, **self.constant}


class CompilePhases(NamedTuple):
    """Seconds of each phase of a cold compilation, and its result."""

    trace_seconds: float
    lower_seconds: float
    compile_seconds: float
    compiled: Any


def program(case: Case, transform: str, arrays: Arrays, device: jax.Device) -> Program:
    """The loss, or its value and gradient, with its inputs resident on the device."""

    def value(differentiated: Arrays, constant: Arrays) -> Any:
        return case.loss(**differentiated, **constant)

    function = jax.value_and_grad(value) if transform == "value_and_grad" else value
    on_device = {name: jax.device_put(array, device) for name, array in arrays.items()}
    jax.block_until_ready(on_device)
    differentiated = {name: on_device.pop(name) for name in case.differentiable}
    return Program(function, differentiated, on_device)


def lacking_memory(case: Case, n_cells: int) -> str | None:
    """Why this machine's free memory does not suffice, or None where it does.

    The measurements take about twelve times the memory of the inputs: they hold the
    simulation in double precision, the inputs on the host and on the device, gradients,
    results of a lower bound, temporaries.
    """
    few = case.make_inputs(_FEW_CELLS)
    needed = 12 * n_cells // _FEW_CELLS * sum(np.asarray(array).nbytes for array in few.values())
    free = psutil.virtual_memory().available
    if needed <= free:
        return None
    return f"needs about {needed / 1e9:.1f} GB of memory, {free / 1e9:.1f} GB are free"


def compile_cold(program: Program) -> CompilePhases:
    """Trace, lower and compile with every cache off or cleared, timed apart."""
    with keeping_programs_in(None):
        return _compile(program)


def _compile(program: Program) -> CompilePhases:
    """Trace, lower and compile with every in-memory cache cleared, timed apart."""
    jax.clear_caches()
    start = time.perf_counter()
    traced = jax.jit(program.function).trace(*program.arguments)
    after_trace = time.perf_counter()
    lowered = traced.lower()
    after_lower = time.perf_counter()
    compiled = lowered.compile()
    end = time.perf_counter()
    return CompilePhases(
        after_trace - start, after_lower - after_trace, end - after_lower, compiled
    )


def compile_warm(program: Program) -> float:
    """Seconds of the backend's part when the persistent cache holds the program already."""
    with TemporaryDirectory() as folder, keeping_programs_in(Path(folder)):
        _compile(program)
        return _compile(program).compile_seconds


@contextmanager
def keeping_programs_in(folder: Path | None) -> Iterator[None]:
    """Keep every compiled program, however small, in the folder, and take it from there.

    With None, whatever else is configured, no program is kept or taken.
    """
    settings = {
        "jax_compilation_cache_dir": None if folder is None else str(folder),
        "jax_persistent_cache_min_compile_time_secs": 0.0,
        "jax_persistent_cache_min_entry_size_bytes": -1,
    }
    before = {name: getattr(jax.config, name) for name in settings}
    compilation_cache.reset_cache()
    try:
        for name, value in settings.items():
            jax.config.update(name, value)
        yield
    finally:
        for name, value in before.items():
            jax.config.update(name, value)
        compilation_cache.reset_cache()


def counters(compiled: Any) -> dict[str, Any]:
    """Deterministic counters of a compiled program; None where the backend has none.

    The fingerprint is a hash of the optimised HLO without names of source files: equal
    fingerprints mean that a difference in time is noise.
    """
    memory = compiled.memory_analysis()
    text = _anonymous_hlo(compiled.as_text())
    return {
        "temp_bytes": getattr(memory, "temp_size_in_bytes", None),
        "argument_bytes": getattr(memory, "argument_size_in_bytes", None),
        "output_bytes": getattr(memory, "output_size_in_bytes", None),
        "generated_code_bytes": getattr(memory, "generated_code_size_in_bytes", None),
        **asdict(work_of(text)),
        "hlo_instructions": len(re.findall(r"^\s+(?:ROOT )?%?[\w.-]+ = ", text, re.MULTILINE)),
        "hlo_fingerprint": hashlib.sha256(text.encode()).hexdigest()[:16],
    }


def _anonymous_hlo(text: str) -> str:
    """HLO text without the parts that depend on where the source lies on disk."""
    text = re.sub(r", metadata=\{[^}]*\}", "", text)
    text = re.sub(r", frontend_attributes=\{[^}]*\}", "", text)
    tables = r"^(FileNames|FunctionNames|FileLocations|StackFrames)\n(?:\d+ .*\n)*"
    return re.sub(tables, "", text, flags=re.MULTILINE)


def call_in_turn(
    calls: Mapping[str, Callable[[], Any]],
    order: np.random.Generator,
    *,
    seconds: float,
    most: int,
    least: int = 5,
) -> dict[str, list[float]]:
    """Seconds of single calls, one of each in every round.

    What slows the machine down for a while then slows all of them, and the ratio of two
    calls of the same round means something. Every round draws a new order, because
    the first call finds the caches as the last round left them.
    """
    samples: dict[str, list[float]] = {name: [] for name in calls}
    began, n_rounds = time.perf_counter(), 0
    while n_rounds < least or (n_rounds < most and time.perf_counter() - began < seconds):
        for name in order.permutation(list(calls)):
            samples[name].append(clock(calls[name]))
        n_rounds += 1
    return samples


def warm_up(calls: Mapping[str, Callable[[], Any]]) -> None:
    """Make every call once, which may still compile or allocate."""
    for call in calls.values():
        clock(call)


def clock(call: Callable[[], Any]) -> float:
    """Seconds of one call, blocked on what it returns."""
    start = time.perf_counter()
    jax.block_until_ready(call())
    return time.perf_counter() - start


def count_retraces(program: Program) -> int:
    """How often a second call with new values of the same shapes traces again.

    The calls stop after the tracing, and compile nothing.
    """
    traces = 0

    def counting(*arguments: Any) -> Any:
        nonlocal traces
        traces += 1
        return program.function(*arguments)

    jitted = jax.jit(counting)
    jitted.eval_shape(*program.arguments)
    renewed = jax.tree.map(lambda array: array * np.array(0.5, array.dtype), program.differentiated)
    jitted.eval_shape(renewed, program.constant)
    return traces - 1
