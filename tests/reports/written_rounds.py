"""A folder of rounds as the benchmarks write it, with whatever numbers a test wants."""

import itertools
import json

import numpy as np

from benchmarks.schema.rounds import ROUNDS_VERSION, RoundTime, Side, Stage
from tests.reports.written import BASE, ENVIRONMENT, HEAD, record, sweep

LOSSES = ("shannon", "simpson")
MEASUREMENTS = {"temp_bytes": 10**6, "hlo_fingerprint": "aa", "value_error": 1e-7}
N_CELLS = {"call_seconds": 4096, "cold_compile_seconds": 256}
INSTALLED = ("0.10.2", "0.10.2")


def rounds(folder, *, slower=None, absent=(), failures=None, jax=INSTALLED, bounds="ab", **simpson):
    """Rounds of two losses, which a base and a head have.

    Args:
        folder: where the files are written.
        slower: how many times as long Simpson's takes in the head, by metric; what is slower
            was measured again.
        absent: losses that the head lacks.
        failures: what the head's programs raised.
        jax: the releases of both sides.
        bounds: the digest of the head's lower bounds; the base's is "ab".
        simpson: other measurements of Simpson's in the head.
    """
    folder.mkdir(parents=True, exist_ok=True)
    present = [loss for loss in LOSSES if loss not in absent]
    own = dict.fromkeys(present, MEASUREMENTS) | {"simpson": {**MEASUREMENTS, **simpson}}
    sides = {
        "base": _side(BASE, jax[0], {}),
        "head": _side(HEAD, jax[1], failures or {}, bounds),
    }
    sweeps = {
        "base": _sweep(folder, BASE, jax[0], dict.fromkeys(LOSSES, MEASUREMENTS)),
        "head": _sweep(folder, HEAD, jax[1], {loss: own[loss] for loss in present}),
    }
    counters = {
        "rounds_version": ROUNDS_VERSION,
        "sides": {side: sides[side]["description"] for side in Side},
        "sweeps": sweeps,
    }
    (folder / "counters.json").write_text(json.dumps(counters))
    content = {
        "rounds_version": ROUNDS_VERSION,
        "environment": ENVIRONMENT,
        "sides": sides,
        "rows": [row.row() for row in _times(slower or {}, present, bounds)],
    }
    (folder / "rounds.json").write_text(json.dumps(content))
    return folder


def with_seconds(folder, before, after):
    """The rounds, where Simpson's calls took so many seconds in the processes of either side."""
    path = folder / "rounds.json"
    content = json.loads(path.read_text())
    for row in content["rows"]:
        if (row["benchmark"], row["metric"]) == ("simpson:value_and_grad", "call_seconds"):
            seconds = before if row["side"] == Side.BASE else after
            # The ratio scatters too much to count.
            row |= {"seconds": seconds[row["round"] % len(seconds)], "ratio": 10.0 ** row["round"]}
    path.write_text(json.dumps(content))
    return folder


def _sweep(folder, commit, version, measurements):
    records = [
        record(loss, metric, value, n_cells=4096)
        for loss, own in measurements.items()
        for metric, value in own.items()
    ]
    packages = {"jax": version, "jaxlib": version}
    path = sweep(folder / "sweep.json", records, commit=commit, packages=packages)
    content = json.loads(path.read_text())
    path.unlink()
    return content


def _side(commit, version, failures, bounds="ab"):
    versions = {"jax": version, "jaxlib": version}
    description = {
        "commit": commit, "tree": commit, "jax": None if version == INSTALLED[1] else version,
        "program": HEAD, "changes": None, "lower_bounds": bounds,
        "choices": {},
    }  # fmt: skip
    return {"description": description, "versions": versions, "failures": failures}


def _times(slower, present, bounds):
    """Eight rounds of everything, and twelve of what is slower.

    The machine's speed varies by 2 % from round to round, a ratio to the bound by 0.1 %.
    """
    noise = np.random.default_rng(0)
    every = [(loss, metric) for loss in LOSSES for metric in N_CELLS]
    again = [("simpson", metric) for metric in slower]
    for stage, n_rounds, measurements in ((Stage.FIRST, 8, every), (Stage.AGAIN, 12, again)):
        for number in range(n_rounds):
            bound_seconds = 0.01 * float(np.exp(0.02 * noise.standard_normal()))
            for side, (loss, metric) in itertools.product(Side, measurements):
                if side == Side.HEAD and loss not in present:
                    continue
                changed = side == Side.HEAD and loss == "simpson"
                ratio = float(np.exp(0.001 * noise.standard_normal()))
                ratio *= slower.get(metric, 1.0) if changed else 1.0
                seconds = bound_seconds * ratio
                ratio *= 1.5 if bounds != "ab" and side == Side.HEAD else 1.0
                place = (f"{loss}:value_and_grad", N_CELLS[metric], "cpu", metric)
                yield RoundTime(stage, number, side, *place, seconds, ratio)
