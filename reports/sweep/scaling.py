"""The plot of what a device holds and sends, over the number of devices."""

import pandas as pd
from matplotlib.axes import Axes

from benchmarks.schema.suite import MESHES, STRONG_SCALING, WEAK_SCALING
from reports.writing.plotting import BLUE, ORANGE, Plot, panels, say

__all__ = ["scaling_plot"]

_CURVES = {
    "temporary memory": ("temp_bytes", BLUE),
    "communicated": ("communicated_bytes", ORANGE),
}


def scaling_plot(rows: pd.DataFrame) -> Plot:
    """Strong scaling, solid, and weak scaling, dotted.

    Args:
        rows: the measurements of several devices.
    """
    columns = ["loss", "n_cells", "device", "metric", "unit", "value"]
    data = rows[columns].assign(
        n_devices=rows["device"].map(MESHES), value=rows["value"].astype(float)
    )

    def draw(axes: Axes, loss: str) -> None:
        own = data[data["loss"] == loss]
        if own.empty:
            say(axes, "not measured")
        for label, (metric, colour) in _CURVES.items():
            for points, marker, line, scaling in (
                (STRONG_SCALING, "o", "-", "strong"),
                (WEAK_SCALING, "x", ":", "weak"),
            ):
                found = _along(own, metric, points)
                axes.plot(*found, marker + line, color=colour, label=f"{label}, {scaling}")

    return Plot(
        "scaling",
        "Scaling over devices (MB per device)",
        "Per loss with its gradient, temporary memory of each device and the bytes that it "
        "communicates, over the number of devices, both axes logarithmic: solid for 65536 cells "
        "in all, dotted for 8192 cells per device.",
        panels(draw, "devices", "MB per device", ticks=MESHES.values()),
        data,
    )


def _along(
    rows: pd.DataFrame, metric: str, points: tuple[tuple[int, str], ...]
) -> tuple[pd.Series, pd.Series]:
    """Devices and MB of a metric at the points, without the 0 that a logarithm cannot show."""
    found = rows[(rows["metric"] == metric) & (rows["value"] > 0)]
    measured_at = pd.MultiIndex.from_frame(found[["n_cells", "device"]])
    found = found[measured_at.isin(points)].sort_values("n_devices")
    return found["n_devices"], found["value"] / 1e6
