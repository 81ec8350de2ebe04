"""The pictures: one panel per loss, logarithmic axes, colours that colour-blind eyes tell apart.

Every picture carries the numbers that it draws, so that a page can offer them as CSV.
"""

import io
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import matplotlib
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from benchmarks.schema.records import Source
from benchmarks.schema.suite import LOSSES
from benchmarks.schema.tolerances import TOLERANCES
from reports.judge.history import Course
from reports.sources.results import Results

__all__ = ["Picture", "pictures"]

_BLUE, _ORANGE, _GREY = "#0072B2", "#D55E00", "#666666"
_RATIO_TICKS = (0.5, 1, 2, 5, 10)
_PEERS = {"torch": "#009E73", "dense jax": "#CC79A7", "faiss": "#E69F00"}
_STYLES = {"value": (_BLUE, "o", "value"), "value_and_grad": (_ORANGE, "s", "value and gradient")}

matplotlib.rcParams.update(
    {
        "svg.hashsalt": "diffbio",
        "svg.fonttype": "none",
        "font.family": "sans-serif",
        "font.size": 9,
        "axes.grid": True,
        "grid.alpha": 0.3,
        "axes.spines.top": False,
        "axes.spines.right": False,
    }
)


@dataclass(frozen=True)
class Picture:
    """A figure with its file name, its title, the sentence that describes it, and its data."""

    name: str
    title: str
    description: str
    figure: Figure
    data: pd.DataFrame

    @cached_property
    def svg(self) -> str:
        """The figure as an ``<svg>`` element."""
        buffer = io.StringIO()
        self.figure.savefig(buffer, format="svg", metadata={"Date": None}, transparent=True)
        text = buffer.getvalue()
        return text[text.index("<svg") :]

    @cached_property
    def csv(self) -> str:
        """The numbers that are drawn."""
        return self.data.to_csv(index=False)


def pictures(read: Results, history: list[Course]) -> Iterator[Picture]:
    """Every picture of the report that there are numbers for, in the order of the page."""
    sweep = read.newest
    if sweep is not None:
        rows = sweep.frame[
            (sweep.frame["source"] == Source.SIMULATED) & (sweep.frame["status"] == "ok")
        ]
        yield _lower_bound_picture(sweep.ratios)
        yield _throughput_picture(rows, read.ratios)
        yield _memory_picture(rows)
        yield _compile_picture(rows)
        yield _v_curve_picture(sweep.v_curves)
    calls = [course for course in history if course.metric == "call_seconds"]
    if calls:
        yield _history_picture(calls)


def _panels(
    draw: Callable[[Axes, str], None],
    x_label: str,
    y_label: str,
    *,
    cells: Iterable[int] = (),
    log_x: bool = True,
) -> Figure:
    """One panel per loss on common axes."""
    n_columns = 3
    n_rows = -(-len(LOSSES) // n_columns)
    figure = Figure(figsize=(9, 2.4 * n_rows), layout="constrained")
    grid = figure.subplots(n_rows, n_columns, sharex=True, sharey=True, squeeze=False)
    for axes, loss in zip(grid.flat, LOSSES, strict=False):
        axes.set_xscale("log" if log_x else "linear")
        axes.set_yscale("log")
        axes.minorticks_off()  # a labelled tick costs more time than the curves
        if ticks := sorted(set(cells)):
            axes.set_xticks(ticks, [str(n) for n in ticks], fontsize=7)
        draw(axes, loss)
        axes.set_title(loss.replace("_", " "), fontsize=9)
    found = [axes.get_legend_handles_labels() for axes in grid.flat]
    legend = {
        label: handle
        for handles, labels in found
        for handle, label in zip(handles, labels, strict=True)
    }
    figure.legend(
        legend.values(), legend.keys(), loc="outside upper center", ncols=4, frameon=False
    )
    figure.supxlabel(x_label)
    figure.supylabel(y_label)
    return figure


def _curves(
    axes: Axes, rows: pd.DataFrame, loss: str, factor: float, *, spread: bool = False
) -> None:
    """A curve over the cells per transform and device; dotted on a GPU."""
    for transform, (colour, marker, label) in _STYLES.items():
        own = rows[(rows["loss"] == loss) & (rows["transform"] == transform)]
        for device, points in own.groupby("device"):
            points = points[points["value"] > 0].sort_values("n_cells")
            gpu = device != "cpu"
            axes.plot(
                points["n_cells"], factor * points["value"], color=colour, marker=marker,
                linestyle=":" if gpu else "-", label=f"{label}, {device}" if gpu else label,
            )  # fmt: skip
            if spread:
                band = (points["ratio_low"], points["ratio_high"])
                axes.fill_between(points["n_cells"], *band, color=colour, alpha=0.2, linewidth=0)


def _bound(axes: Axes, rows: pd.DataFrame, loss: str, factor: float, label: str) -> None:
    """A dashed line of what no formulation can do without, where there is such a number."""
    own = rows[(rows["loss"] == loss) & (rows["transform"] == "value_and_grad")]
    own = own[own["device"] == "cpu"].sort_values("n_cells")
    axes.plot(own["n_cells"], factor * own["value"], color=_GREY, linestyle="--", label=label)


def _of(rows: pd.DataFrame, *metrics: str) -> pd.DataFrame:
    """The rows of some metrics as numbers, without the columns that are the same in all."""
    found = rows[rows["metric"].isin(metrics)]
    columns = ["loss", "transform", "device", "n_cells", "metric", "unit", "value"]
    return found[columns].assign(value=found["value"].astype(float))


def _throughput_picture(rows: pd.DataFrame, ratios: pd.DataFrame) -> Picture:
    times = _of(rows, "call_seconds", "lower_bound_seconds")
    calls, bounds = (times[times["metric"] == m] for m in ("call_seconds", "lower_bound_seconds"))
    peers = ratios[~ratios["other"].str.startswith("lower bound")]
    peers = peers[peers["transform"] == "value_and_grad"]

    def draw(axes: Axes, loss: str) -> None:
        _curves(axes, calls, loss, 1e3)
        _bound(axes, bounds, loss, 1e3, "lower bound")
        for name, own in peers[peers["loss"] == loss].groupby("other"):
            colour = next((c for peer, c in _PEERS.items() if peer in name.lower()), _GREY)
            own = own.sort_values("n_cells")
            axes.plot(
                own["n_cells"], 1e3 * own["other_seconds"], color=colour, marker="x",
                linewidth=1, label=name,
            )  # fmt: skip

    drawn = peers.assign(metric=peers["other"], value=peers["other_seconds"], unit="s")
    return Picture(
        "throughput",
        "Time per call (ms)",
        "Per loss, time per call over the number of cells, both axes logarithmic, for the value "
        "alone and the value with its gradient; dashed the bare work that no formulation of the "
        "gradient can do without, and peers where they were measured.",
        _panels(draw, "cells", "time per call (ms)", cells=times["n_cells"]),
        pd.concat([times, drawn[[c for c in times if c in drawn]]]),
    )


def _memory_picture(rows: pd.DataFrame) -> Picture:
    memory = _of(rows, "temp_bytes", "argument_bytes")
    temporary = memory[memory["metric"] == "temp_bytes"]

    def draw(axes: Axes, loss: str) -> None:
        _curves(axes, temporary, loss, 1e-6)
        _bound(axes, memory[memory["metric"] == "argument_bytes"], loss, 1e-6, "inputs")

    return Picture(
        "memory",
        "Temporary memory (MB)",
        "Per loss, temporary memory of a call over the number of cells, both axes logarithmic, "
        "beside the inputs' own size, dashed.",
        _panels(draw, "cells", "temporary memory (MB)", cells=memory["n_cells"]),
        memory,
    )


def _lower_bound_picture(ratios: pd.DataFrame) -> Picture:
    """The roofline: how near a loss comes to the least work of its kind."""
    rows = ratios.assign(device="cpu", value=ratios["ratio"])

    def draw(axes: Axes, loss: str) -> None:
        _curves(axes, rows, loss, 1, spread=True)
        axes.axhline(1, color=_GREY, linestyle="--", label="lower bound")
        axes.set_yticks(_RATIO_TICKS, [f"{tick:g}" for tick in _RATIO_TICKS])

    return Picture(
        "lower-bounds",
        "Time over the lower bound",
        "Per loss, the time of a call over that of the bare product, reads or writes that no "
        "formulation can do without, over the number of cells, with the interquartile range: "
        "1, the dashed line, is as fast as the machine.",
        _panels(draw, "cells", "time / lower bound", cells=ratios["n_cells"]),
        ratios,
    )


def _compile_picture(rows: pd.DataFrame) -> Picture:
    phases = _of(rows, "trace_seconds", "lower_seconds", "compile_seconds")
    where = ["loss", "transform", "device", "n_cells"]
    totals = phases.groupby(where, sort=False)["value"].sum().reset_index()

    def draw(axes: Axes, loss: str) -> None:
        _curves(axes, totals, loss, 1)

    return Picture(
        "compile",
        "Compile time (s)",
        "Per loss, seconds to trace, lower and compile with empty caches over the number of "
        "cells: flat where compiling does not depend on the data's size.",
        _panels(draw, "cells", "compile time (s)", cells=totals["n_cells"]),
        phases,
    )


def _v_curve_picture(v_curves: list[dict[str, Any]]) -> Picture:
    curves = {curve["loss"]: curve for curve in v_curves}

    def draw(axes: Axes, loss: str) -> None:
        tolerance = TOLERANCES["finite_difference_error"]
        if loss in curves:
            errors = np.maximum(np.array(curves[loss]["errors"], float), 1e-16)
            axes.plot(
                curves[loss]["steps"], errors, color=_BLUE, marker="o", markersize=3,
                label="reference's difference against loss's gradient",
            )  # fmt: skip
        axes.axhline(tolerance, color=_GREY, linestyle="--", label=f"tolerance {tolerance:g}")

    return Picture(
        "v-curves",
        "Gradient check",
        "Per loss, relative error of the central difference of the reference against the loss's "
        "float64 gradient over the step: truncation falls, rounding rises, and the bottom of "
        "the V must lie below the dashed tolerance.",
        _panels(draw, "step", "relative error"),
        pd.DataFrame(v_curves, columns=["loss", "n_cells", "steps", "errors"]).explode(
            ["steps", "errors"]
        ),
    )


def _history_picture(calls: list[Course]) -> Picture:
    """The largest size of every loss over the commits, relative to the first."""

    def draw(axes: Axes, loss: str) -> None:
        for transform, (colour, marker, label) in _STYLES.items():
            own = [c for c in calls if c.benchmark == f"{loss}:{transform}" and c.device == "cpu"]
            if own:
                course = max(own, key=lambda c: (c.n_cells, len(c.values)))
                relative = np.array(course.values) / course.values[0]
                axes.plot(range(len(relative)), relative, color=colour, marker=marker, label=label)

    data = [
        (c.benchmark, c.n_cells, c.device, commit, date, value)
        for c in calls
        for commit, date, value in zip(c.commits, c.dates, c.values, strict=True)
    ]
    columns = ["benchmark", "n_cells", "device", "commit", "date", "call_seconds"]
    return Picture(
        "history",
        "Time per call over the commits",
        "Per loss, the time of a call at its largest size at every commit that was measured, "
        "over that of the first, oldest on the left: 1 is as fast as it was.",
        _panels(draw, "commit, oldest first", "time / first", log_x=False),
        pd.DataFrame(data, columns=columns),
    )
