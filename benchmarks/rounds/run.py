"""Rounds of two sides: one fresh process each, in a random order, into one file."""

import json
import math
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple

import click
import numpy as np
from tqdm import tqdm

from benchmarks.measure.environment import command_line, environment
from benchmarks.rounds.sides import PreparedSide
from benchmarks.schema.differences import differing
from benchmarks.schema.files import write_json
from benchmarks.schema.rounds import ROUNDS_VERSION, RoundTime, Stage

__all__ = ["Plan", "run_rounds"]

# Seconds; a clock may not see anything shorter.
_SHORTEST_ROUND = 1e-3


class Plan(NamedTuple):
    """The rounds that a stage is to have.

    Attributes:
        stage: why they are run.
        number: how many there are to be in all.
        compiled: programs to compile, ``simpson:value_and_grad``; None for all.
        called: programs to call, likewise.
        minutes: no round begins that would end later.
        fewest: how many rounds the stage needs. It ends after the first one if its seconds tell
            that fewer fit into the minutes.
        command: the command that measures the same again; the one of this process by default.
    """

    stage: Stage
    number: int
    compiled: Sequence[str] | None
    called: Sequence[str] | None
    minutes: float
    fewest: int = 1
    command: str | None = None


def run_rounds(path: Path, sides: Sequence[PreparedSide], plan: Plan) -> None:
    """Measure both sides in turn; the file is whole after every round.

    What the file holds of the same sides is kept: a stage goes on where it stopped.

    Args:
        path: the JSON file.
        sides: base and head.
        plan: what is measured, and how often.

    Raises:
        SideError: a process ended without a response.
        UnwritableError: the file cannot be written.
    """
    ends = time.monotonic() + 60 * plan.minutes
    content = _of_these_sides(path, sides) or _begin(path, sides, plan.command)
    numbers = [row["round"] for row in content["rows"] if row["stage"] == plan.stage]
    random = np.random.default_rng()
    seconds = content.setdefault("seconds", {}).setdefault(plan.stage, [])
    left = range(max(numbers, default=-1) + 1, plan.number)
    for number in tqdm(left, f"rounds, {plan.stage}", unit="round", dynamic_ncols=True):
        began = time.monotonic()
        if number + _n_fitting(ends - began, seconds) < max(plan.fewest, number + 1):
            break
        for at in random.permutation(len(sides)):
            response = _response_of(sides[at], plan, seed=int(random.integers(2**31)))
            content["rows"] += _rows(sides[at], response, plan.stage, number)
        seconds.append(time.monotonic() - began)
        write_json(path, content)


def _n_fitting(left: float, seconds: Sequence[float]) -> float:
    """How many rounds fit into the seconds that are left, if they take as long as those before.

    The first round begins if there is any time, since no round has told its seconds yet.
    """
    if not seconds:
        return math.inf if left > 0 else 0
    return left // max(float(np.mean(seconds)), _SHORTEST_ROUND)


def _of_these_sides(path: Path, sides: Sequence[PreparedSide]) -> dict[str, Any] | None:
    """What the file holds, if it is of the same commits, prepared in the same way.

    Otherwise, what differs is said on the standard error.
    """
    if not path.exists():
        return None
    content = json.loads(path.read_bytes())
    differences = [
        f"{side.side}.{one}"
        for side in sides
        for one in differing(content["sides"][side.side]["description"], side.description)
    ]
    if not differences:
        return content
    click.echo(f"{path}: starts over, since {'; '.join(differences)}", err=True)
    return None


def _begin(path: Path, sides: Sequence[PreparedSide], command: str | None) -> dict[str, Any]:
    """Write a file without rounds; one process a side has filled the caches for all later ones.

    That process makes the cells, and compiles what is called. Its times are not kept.
    """
    plan = Plan(Stage.FIRST, 0, compiled=[], called=None, minutes=0)
    with ThreadPoolExecutor(len(sides)) as pool:
        responses = list(pool.map(lambda side: _response_of(side, plan, seed=0), sides))
    measured_in = environment()
    if command:
        measured_in["command"] = command_line(command)
    content = {
        "rounds_version": ROUNDS_VERSION,
        "environment": measured_in,
        "sides": {
            side.side: {
                "description": side.description,
                "versions": response["versions"],
                "failures": response["failures"],
            }
            for side, response in zip(sides, responses, strict=True)
        },
        "rows": [],
    }
    write_json(path, content)
    return content


def _response_of(side: PreparedSide, plan: Plan, seed: int) -> dict[str, Any]:
    """The response of a fresh process."""
    request = {
        "folder": str(side.folder / "kept"),
        "seed": seed,
        "compiled": plan.compiled,
        "called": plan.called,
    }
    printed = side.run("benchmarks.rounds.process", given=json.dumps(request))
    response: dict[str, Any] = json.loads(printed)
    return response


def _rows(
    side: PreparedSide, response: Mapping[str, Any], stage: Stage, number: int
) -> list[dict[str, Any]]:
    return [RoundTime(stage, number, side.side, **found).row() for found in response["times"]]
