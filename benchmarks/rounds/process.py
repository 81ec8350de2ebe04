"""One process of a round: it compiles and calls the programs that it is asked for.

It reads a request from its input and prints the response, both as JSON. Its folder keeps cells and
compiled programs, so that a later process spends its seconds on what is measured.
"""

import importlib.metadata
import json
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import jax
import jax.numpy as jnp
import numpy as np

from benchmarks.catalog.cases import Arrays, Case, case
from benchmarks.catalog.lower_bounds import LOWER_BOUNDS
from benchmarks.measure.programs import (
    Program,
    compile_cold,
    keeping_programs_in,
    program,
    warm_up,
)
from benchmarks.measure.ratio import calls_to_compare
from benchmarks.measure.sweep.timing import visit_in_turn
from benchmarks.schema.children import end_with_caller
from benchmarks.schema.files import replacing_file
from benchmarks.schema.rounds import CALLED_CELLS, COMPILED_CELLS
from benchmarks.schema.suite import GRADIENT_PROGRAMS

__all__ = ["ProgramTime", "Request", "Response", "kept_inputs", "response_to"]

_VISITS = 4
T = TypeVar("T")
Calls = Mapping[str, Callable[[], Any]]


class Request(NamedTuple):
    """What a process is to measure.

    Attributes:
        folder: where cells and compiled programs are kept.
        seed: of the order in which programs are compiled and called.
        compiled: programs to compile, ``simpson:value_and_grad``; None for all of the suite.
        called: programs to call, likewise.
    """

    folder: str
    seed: int
    compiled: Sequence[str] | None
    called: Sequence[str] | None


class ProgramTime(NamedTuple):
    """The times of one program, as in ``RoundTime``."""

    benchmark: str
    n_cells: int
    device: str
    metric: str
    seconds: float
    ratio: float


class Response(NamedTuple):
    """What a process measured.

    Attributes:
        times: of every program.
        failures: what was raised, by program.
        versions: the versions of jax and jaxlib.
    """

    times: Sequence[ProgramTime]
    failures: Mapping[str, str]
    versions: Mapping[str, str]


def response_to(request: Request) -> Response:
    """Compile the programs with every cache off, then call those that are kept compiled."""
    folder, order = Path(request.folder), np.random.default_rng(request.seed)
    failures: dict[str, str] = {}
    compile_cold(Program(lambda given, _: given, {"x": jnp.zeros(1)}, {}))  # starts the compiler
    names = order.permutation(_named(request.compiled)).tolist()
    compiled = _attempted(names, lambda name: _compile(name, folder), failures)
    with keeping_programs_in(folder / "programs"):
        calls = _attempted(_named(request.called), lambda name: _ready(name, folder), failures)
    samples = visit_in_turn(calls, order, most=_VISITS)
    called = [_called(name, *found.values()) for name, found in samples.items()]
    versions = {name: importlib.metadata.version(name) for name in ("jax", "jaxlib")}
    return Response([*compiled.values(), *called], failures, versions)


def _named(programs: Sequence[str] | None) -> list[str]:
    return list(GRADIENT_PROGRAMS if programs is None else programs)


def _attempted(
    names: Sequence[str], measure: Callable[[str], T], failures: dict[str, str]
) -> dict[str, T]:
    """What was measured, by name; what is raised goes into the failures."""
    found = {}
    for name in names:
        try:
            found[name] = measure(name)
        except Exception as error:
            failures[name] = f"{type(error).__name__}: {error}"
    return found


def _compile(name: str, folder: Path) -> ProgramTime:
    """Seconds of all phases of a cold compilation, and their ratio to the lower bound's."""
    one, transform, prepared = _program(name, COMPILED_CELLS, folder)
    bound = LOWER_BOUNDS[one.lower_bound][transform]
    least = Program(lambda arrays, _: bound(arrays), prepared.arrays, {})
    seconds, shortest = (sum(compile_cold(each)[:-1]) for each in (prepared, least))
    return ProgramTime(
        name, COMPILED_CELLS, _device(), "cold_compile_seconds", seconds, seconds / shortest
    )


def _ready(name: str, folder: Path) -> Calls:
    """The program and its lower bound, compiled and called once."""
    one, transform, prepared = _program(name, CALLED_CELLS, folder)
    compiled = jax.jit(prepared.function).lower(*prepared.arguments).compile()
    calls = calls_to_compare(one, transform, prepared, compiled)
    warm_up(calls)
    return calls


def _called(name: str, own: Sequence[float], bound: Sequence[float]) -> ProgramTime:
    """The medians over the visits, of the seconds and of the ratios within a visit."""
    ratios = np.array(own) / np.array(bound)
    medians = float(np.median(own)), float(np.median(ratios))
    return ProgramTime(name, CALLED_CELLS, _device(), "call_seconds", *medians)


def _program(name: str, n_cells: int, folder: Path) -> tuple[Case, str, Program]:
    loss, transform = name.split(":")
    one = case(loss)
    arrays = kept_inputs(one, n_cells, folder / "cells" / f"{loss}-{n_cells}.npz")
    return one, transform, program(one, transform, arrays, jax.devices()[0])


def kept_inputs(one: Case, n_cells: int, path: Path) -> Arrays:
    """The arguments for simulated cells; the first process that needs them keeps them."""
    if not path.exists():
        arrays = one.make_inputs(n_cells)
        with replacing_file(path) as aside, aside.open("wb") as file:
            np.savez(file, **arrays)
    with np.load(path) as kept:
        return dict(kept)


def _device() -> str:
    return jax.devices()[0].platform


def main() -> None:
    """Answer the request on the standard input."""
    response = response_to(Request(**json.load(sys.stdin)))
    json.dump(
        {**response._asdict(), "times": [found._asdict() for found in response.times]}, sys.stdout
    )


if __name__ == "__main__":
    end_with_caller()
    main()
