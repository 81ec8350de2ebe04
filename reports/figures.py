"""The pictures: one panel per loss, logarithmic axes, colours that colour-blind eyes tell apart."""

import io
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from benchmarks.names import ACCURACY_LIMITS, LOSSES, SIMULATED
from reports.results import Results

__all__ = ["Picture", "pictures"]

_BLUE, _ORANGE, _GREY = "#0072B2", "#D55E00", "#666666"
_STYLES = {"value": (_BLUE, "o", "value"), "value_and_grad": (_ORANGE, "s", "value and gradient")}

matplotlib.rcParams.update(
    {
        "svg.hashsalt": "diffbio",
        "font.size": 9,
        "axes.grid": True,
        "grid.alpha": 0.3,
        "axes.spines.top": False,
        "axes.spines.right": False,
    }
)


@dataclass(frozen=True)
class Picture:
    """A figure with its file name, its title and the sentence that describes it."""

    name: str
    title: str
    description: str
    figure: Figure

    def svg(self) -> str:
        """The figure as an ``<svg>`` element."""
        buffer = io.StringIO()
        self.figure.savefig(buffer, format="svg", metadata={"Date": None})
        text = buffer.getvalue()
        return text[text.index("<svg") :]


def pictures(results: Results) -> Iterator[Picture]:
    """Every picture of the report, in the order of the page."""
    yield _limit_picture(results)
    yield _over_cells(results, "throughput", "call_seconds", 1e3, "time per call (ms)")
    yield _over_cells(results, "memory", "temp_bytes", 1e-6, "temporary memory (MB)")
    yield _compile_picture(results)
    yield _v_curve_picture(results)


def _panels(
    draw: Callable[[Axes, str], None], x_label: str, y_label: str, *, log_y: bool = True
) -> Figure:
    """One panel per loss on common axes."""
    n_columns = 3
    n_rows = -(-len(LOSSES) // n_columns)
    figure = Figure(figsize=(9, 2.4 * n_rows), layout="constrained")
    grid = figure.subplots(n_rows, n_columns, sharex=True, sharey=True, squeeze=False)
    for axes, loss in zip(grid.flat, LOSSES, strict=False):
        axes.set_xscale("log")
        if log_y:
            axes.set_yscale("log")
        axes.minorticks_off()  # a labelled tick costs more time than the curves
        draw(axes, loss)
        axes.set_title(loss.replace("_", " "), fontsize=9)
    handles, labels = grid.flat[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside upper center", ncols=len(labels), frameon=False)
    figure.supxlabel(x_label)
    figure.supylabel(y_label)
    return figure


def _over_cells(results: Results, name: str, metric: str, factor: float, y_label: str) -> Picture:
    rows = results.numbers(metric)
    rows = rows[rows["cells"] == SIMULATED]

    def draw(axes: Axes, loss: str) -> None:
        for transform, (colour, marker, label) in _STYLES.items():
            own = rows[(rows["loss"] == loss) & (rows["transform"] == transform)]
            own = own[own["value"] > 0].sort_values("n_cells")
            axes.plot(
                own["n_cells"], factor * own["value"], color=colour, marker=marker, label=label
            )

    return Picture(
        name,
        y_label[0].upper() + y_label[1:],
        f"Per loss, {y_label} over the number of cells, both axes logarithmic, for the value "
        "alone and the value with its gradient.",
        _panels(draw, "cells", y_label),
    )


def _limit_picture(results: Results) -> Picture:
    """The roofline: how near a loss comes to the least work of its kind."""

    def draw(axes: Axes, loss: str) -> None:
        for transform, (colour, marker, label) in _STYLES.items():
            rows = results.ratios
            own = rows[(rows["loss"] == loss) & (rows["transform"] == transform)]
            own = own.sort_values("n_cells")
            spread = (own["ratio_low"], own["ratio_high"])
            axes.plot(own["n_cells"], own["ratio"], color=colour, marker=marker, label=label)
            axes.fill_between(own["n_cells"], *spread, color=colour, alpha=0.2, linewidth=0)
        axes.axhline(1, color=_GREY, linestyle="--", label="physical limit")
        axes.yaxis.set_major_formatter("{x:g}")

    return Picture(
        "limits",
        "Time over the physical limit",
        "Per loss, the time of a call over that of the bare product, reads or writes that no "
        "formulation can do without, over the number of cells, with the interquartile range: "
        "1, the dashed line, is as fast as the machine.",
        _panels(draw, "cells", "time / limit"),
    )


def _compile_picture(results: Results) -> Picture:
    phases = ("trace_seconds", "lower_seconds", "compile_seconds")
    rows = results.frame[
        results.frame["metric"].isin(phases)
        & (results.frame["status"] == "ok")
        & (results.frame["cells"] == SIMULATED)
    ]
    totals = (
        rows.assign(value=rows["value"].astype(float))
        .groupby(["loss", "transform", "n_cells"])["value"]
        .sum()
    )

    def draw(axes: Axes, loss: str) -> None:
        for transform, (colour, marker, label) in _STYLES.items():
            if (loss, transform) in totals.index:
                own = totals.loc[(loss, transform)]
                axes.plot(own.index, own, color=colour, marker=marker, label=label)

    return Picture(
        "compile",
        "Compile time (s)",
        "Per loss, seconds to trace, lower and compile with empty caches over the number of "
        "cells: flat where compiling does not depend on the data's size.",
        _panels(draw, "cells", "trace + lower + compile (s)"),
    )


def _v_curve_picture(results: Results) -> Picture:
    curves = {curve["loss"]: curve for curve in results.v_curves}

    def draw(axes: Axes, loss: str) -> None:
        limit = ACCURACY_LIMITS["finite_difference_error"]
        if loss in curves:
            errors = np.maximum(np.array(curves[loss]["errors"], float), 1e-16)
            axes.plot(
                curves[loss]["steps"], errors, color=_BLUE, marker="o", markersize=3,
                label="twin's difference against loss's gradient",
            )  # fmt: skip
        axes.axhline(limit, color=_GREY, linestyle="--", label=f"limit {limit:g}")

    return Picture(
        "v-curves",
        "Gradient check",
        "Per loss, relative error of the central difference of the twin against the loss's "
        "float64 gradient over the step: truncation falls, rounding rises, and the bottom of "
        "the V must lie below the dashed limit.",
        _panels(draw, "step", "relative error"),
    )
