"""The plots of a report: what each shows, and the numbers that it draws."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from benchmarks.schema.records import LOWER_BOUND, Source, Status
from benchmarks.schema.suite import DEVICES, MESHES, TRANSFORMS
from benchmarks.schema.tolerances import TOLERANCES
from reports.sources.results import ReadResults
from reports.sweep.history import NEWEST_COMMITS, History
from reports.sweep.scaling import scaling_plot
from reports.writing.plotting import (
    BLUE,
    GREY,
    STYLES,
    Plot,
    curves,
    dashed,
    panels,
    say,
    say_missing,
)

__all__ = ["plots"]

_RATIO_TICKS = (0.5, 1, 2, 5, 10)
_PEERS = {
    "diffbio.torch": "#56B4E9",
    "torch": "#009E73",
    "dense jax": "#CC79A7",
    "faiss": "#E69F00",
}


def plots(read: ReadResults, history: list[History]) -> Iterator[Plot]:
    """Every plot of the report that there are numbers for, in the order of the page."""
    sweep = read.newest
    if sweep is not None:
        rows = sweep.frame[
            (sweep.frame["source"] == Source.SIMULATED) & (sweep.frame["status"] == Status.OK)
        ]
        on_meshes = rows[rows["device"].isin(MESHES)]
        rows = rows[rows["device"].isin(DEVICES)]
        yield _lower_bound_plot(sweep.ratios)
        yield _throughput_plot(rows, read.ratios)
        yield _memory_plot(rows)
        if not on_meshes.empty:
            yield scaling_plot(on_meshes)
        yield _compile_plot(rows)
        yield _v_curve_plot(sweep.v_curves)
    calls = [one for one in history if one.metric == "call_seconds"]
    if calls:
        yield _history_plot(calls)


def _of(rows: pd.DataFrame, *metrics: str) -> pd.DataFrame:
    """The rows of some metrics as numbers, without the columns that are the same in all."""
    found = rows[rows["metric"].isin(metrics)]
    columns = ["loss", "transform", "device", "n_cells", "metric", "unit", "value"]
    return found[columns].assign(value=found["value"].astype(float))


def _throughput_plot(rows: pd.DataFrame, ratios: pd.DataFrame) -> Plot:
    times = _of(rows, "call_seconds", "lower_bound_seconds")
    calls, bounds = (times[times["metric"] == m] for m in ("call_seconds", "lower_bound_seconds"))
    peers = ratios[~ratios["other"].str.startswith(LOWER_BOUND)]
    peers = peers[peers["transform"] == "value_and_grad"]

    def draw(axes: Axes, loss: str) -> None:
        curves(axes, calls, loss, 1e3, unit="seconds")
        for transform in TRANSFORMS:
            colour, _, label = STYLES[transform]
            own = bounds[bounds["transform"] == transform]
            dashed(axes, own, loss, 1e3, colour=colour, label=f"lower bound of {label}")
        for name, own in peers[peers["loss"] == loss].groupby("other"):
            colour = next((c for peer, c in _PEERS.items() if peer in name.lower()), GREY)
            own = own.sort_values("n_cells")
            axes.plot(
                own["n_cells"], 1e3 * own["other_seconds"], color=colour, marker="x",
                linewidth=1, label=name,
            )  # fmt: skip

    drawn = peers.assign(metric=peers["other"], value=peers["other_seconds"], unit="s")
    return Plot(
        "throughput",
        "Time per call (ms)",
        "Per loss, time per call over the number of cells, both axes logarithmic, for the value "
        "alone and the value with its gradient; dashed in the same colour the bare work that no "
        "formulation of either can do without, and peers where they were measured.",
        panels(draw, "cells", "time per call (ms)", ticks=times["n_cells"]),
        pd.concat([times, drawn[[c for c in times if c in drawn]]]),
    )


def _memory_plot(rows: pd.DataFrame) -> Plot:
    memory = _of(rows, "temp_bytes", "argument_bytes")
    temporary = memory[memory["metric"] == "temp_bytes"]
    inputs = memory[memory["metric"] == "argument_bytes"]
    inputs = inputs[inputs["transform"] == "value_and_grad"]

    def draw(axes: Axes, loss: str) -> None:
        curves(axes, temporary, loss, 1e-6, unit="bytes")
        dashed(axes, inputs, loss, 1e-6, colour=GREY, label="inputs")

    return Plot(
        "memory",
        "Temporary memory (MB)",
        "Per loss, temporary memory of a call over the number of cells, both axes logarithmic, "
        "beside the inputs' own size, dashed.",
        panels(draw, "cells", "temporary memory (MB)", ticks=memory["n_cells"]),
        memory,
    )


def _lower_bound_plot(ratios: pd.DataFrame) -> Plot:
    """How near a loss comes to the least work of its kind."""
    rows = ratios.assign(device="cpu", value=ratios["ratio"])

    def draw(axes: Axes, loss: str) -> None:
        curves(axes, rows, loss, 1, unit="seconds", band=True)
        axes.axhline(1, color=GREY, linestyle="--", label="lower bound")
        axes.set_yticks(_RATIO_TICKS, [f"{tick:g}" for tick in _RATIO_TICKS])

    return Plot(
        "lower-bounds",
        "Time over the lower bound",
        "Per loss, the time of a call over that of the bare product, reads or writes that no "
        "formulation can do without, over the number of cells, with the interquartile range: "
        "1, the dashed line, is as fast as the machine.",
        panels(draw, "cells", "time / lower bound", ticks=ratios["n_cells"]),
        ratios,
    )


def _compile_plot(rows: pd.DataFrame) -> Plot:
    phases = _of(rows, "trace_seconds", "lower_seconds", "compile_seconds")
    where = ["loss", "transform", "device", "n_cells"]
    totals = phases.groupby(where, sort=False)["value"].sum().reset_index()

    def draw(axes: Axes, loss: str) -> None:
        curves(axes, totals, loss, 1, unit="seconds")

    return Plot(
        "compile",
        "Compile time (s)",
        "Per loss, seconds to trace, lower and compile with empty caches over the number of "
        "cells: flat where compiling does not depend on the data's size.",
        panels(draw, "cells", "compile time (s)", ticks=totals["n_cells"]),
        phases,
    )


def _v_curve_plot(v_curves: list[dict[str, Any]]) -> Plot:
    curves = {curve["loss"]: curve for curve in v_curves}

    def draw(axes: Axes, loss: str) -> None:
        tolerance = TOLERANCES["finite_difference_error"]
        if loss in curves:
            errors = np.maximum(np.array(curves[loss]["errors"], float), 1e-16)
            axes.plot(
                curves[loss]["steps"], errors, color=BLUE, marker="o", markersize=3,
                label="reference's difference against loss's gradient",
            )  # fmt: skip
        else:
            say(axes, "not measured")
        axes.axhline(tolerance, color=GREY, linestyle="--", label=f"tolerance {tolerance:g}")

    return Plot(
        "v-curves",
        "Gradient check",
        "Per loss, relative error of the central difference of the reference against the loss's "
        "float64 gradient over the step: truncation falls, rounding rises, and the bottom of "
        "the V must lie below the dashed tolerance.",
        panels(draw, "step", "relative error"),
        pd.DataFrame(v_curves, columns=["loss", "n_cells", "steps", "errors"]).explode(
            ["steps", "errors"]
        ),
    )


def _history_plot(calls: list[History]) -> Plot:
    """The largest size of every loss over the commits, relative to the first."""

    def draw(axes: Axes, loss: str) -> None:
        missing = {}
        for transform, (colour, marker, label) in STYLES.items():
            own = [c for c in calls if c.benchmark == f"{loss}:{transform}" and c.device == "cpu"]
            if not own:
                missing[label] = "not measured at two commits"
                continue
            longest = max(own, key=lambda c: (c.n_cells, len(c.values)))
            relative = np.array(longest.values) / longest.values[0]
            axes.plot(range(len(relative)), relative, color=colour, marker=marker, label=label)
        say_missing(axes, missing)

    data = [
        (c.benchmark, c.n_cells, c.device, commit, date, value)
        for c in calls
        for commit, date, value in zip(c.commits, c.dates, c.values, strict=True)
    ]
    columns = ["benchmark", "n_cells", "device", "commit", "date", "call_seconds"]
    return Plot(
        "history",
        "Time per call over the commits",
        f"Per loss, the time of a call at its largest size at the newest {NEWEST_COMMITS} commits "
        "at most, over that of the first of them, oldest on the left: 1 is as fast as it was.",
        panels(draw, "commit, oldest first", "time / first", log_x=False),
        pd.DataFrame(data, columns=columns),
    )
