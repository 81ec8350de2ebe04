"""Rounds of two sides: one fresh process each, in an order that is drawn, into one file."""

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

__all__ = ["Rounds", "run_rounds"]

# Seconds; a clock may not see anything shorter.
_SHORTEST_ROUND = 1e-3


class Rounds(NamedTuple):
    """The rounds of a stage.

    Attributes:
        stage: why they are run.
        number: how many the stage is to have in all.
        compiled: programs to compile, ``simpson:value_and_grad``; None for all.
        called: programs to call, likewise.
        minutes: no round begins that would end later.
        fewest: a stage of which fewer rounds fit is of no use. It ends after the first round,
            whose seconds tell how many fit.
        command: what measures the same again, if these rounds are a part of something.
    """

    stage: Stage
    number: int
    compiled: Sequence[str] | None
    called: Sequence[str] | None
    minutes: float
    fewest: int = 1
    command: str | None = None


def run_rounds(path: Path, sides: Sequence[PreparedSide], rounds: Rounds) -> None:
    """Measure both sides in turn; the file is whole after every round.

    What the file holds of the same sides is kept: a stage goes on where it stopped.

    Args:
        path: the JSON file.
        sides: base and head.
        rounds: what is measured, and how often.

    Raises:
        SideError: a process ended without an answer.
        UnwritableError: the file cannot be written.
    """
    ends = time.monotonic() + 60 * rounds.minutes
    content = _of_these_sides(path, sides) or _begun(path, sides, rounds.command)
    numbers = [row["round"] for row in content["rows"] if row["stage"] == rounds.stage]
    lots = np.random.default_rng()
    seconds = content.setdefault("seconds", {}).setdefault(rounds.stage, [])
    left = range(max(numbers, default=-1) + 1, rounds.number)
    for number in tqdm(left, f"rounds, {rounds.stage}", unit="round", dynamic_ncols=True):
        began = time.monotonic()
        if number + _n_fitting(ends - began, seconds) < max(rounds.fewest, number + 1):
            break
        for at in lots.permutation(len(sides)):
            answer = _asked(sides[at], rounds, seed=int(lots.integers(2**31)))
            content["rows"] += _rows(sides[at], answer, rounds.stage, number)
        seconds.append(time.monotonic() - began)
        write_json(path, content)


def _n_fitting(left: float, seconds: Sequence[float]) -> float:
    """How many rounds fit into the seconds that are left, if they take as long as those before.

    Nothing is known before the first round: it begins if there is any time.
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
        for one in differing(content["sides"][side.side]["described"], side.described)
    ]
    if not differences:
        return content
    click.echo(f"{path}: starts over, since {'; '.join(differences)}", err=True)
    return None


def _begun(path: Path, sides: Sequence[PreparedSide], command: str | None) -> dict[str, Any]:
    """A file without rounds, after a process a side that fills what all later ones take.

    That process compiles what it calls. Its times are no samples, since it does more.
    """
    rounds = Rounds(Stage.FIRST, 0, compiled=[], called=None, minutes=0)
    with ThreadPoolExecutor(len(sides)) as pool:
        answers = list(pool.map(lambda side: _asked(side, rounds, seed=0), sides))
    described = environment()
    if command:
        described["command"] = command_line(command)
    content = {
        "rounds_version": ROUNDS_VERSION,
        "environment": described,
        "sides": {
            side.side: {
                "commit": side.commit,
                "described": side.described,
                "versions": answer["versions"],
                "failures": answer["failures"],
            }
            for side, answer in zip(sides, answers, strict=True)
        },
        "rows": [],
    }
    write_json(path, content)
    return content


def _asked(side: PreparedSide, rounds: Rounds, seed: int) -> dict[str, Any]:
    """The answer of a fresh process."""
    request = {
        "folder": str(side.folder / "kept"),
        "seed": seed,
        "compiled": rounds.compiled,
        "called": rounds.called,
    }
    printed = side.run("benchmarks.rounds.process", given=json.dumps(request))
    answer: dict[str, Any] = json.loads(printed)
    return answer


def _rows(
    side: PreparedSide, answer: Mapping[str, Any], stage: Stage, number: int
) -> list[dict[str, Any]]:
    return [RoundTime(stage, number, side.side, **found).row() for found in answer["times"]]
