"""Which row of a comparison is named first."""

import numpy as np
import pandas as pd

from reports.rules.verdicts import gates, urgent_first, worst


def rows(*found):
    frame = pd.DataFrame(found, columns=["metric", "kind", "verdict", "ratio"])
    return frame.assign(gates=gates(frame))


ROWS = rows(
    ("flops", "counter", "unchanged", 1.01),
    ("temp_bytes", "memory", "regressed", 1.5),
    ("call_seconds", "time", "regressed", 9.0),
    ("hlo_instructions", "counter", "improved", 0.1),
    ("retraces", "counter", "regressed", np.inf),
    ("value_error", "accuracy", "removed", np.nan),
    ("gradient_error", "accuracy", "failing", np.nan),
)


def test_what_failed_or_went_comes_first_then_what_moved_farthest():
    assert list(urgent_first(ROWS)["metric"]) == [
        "gradient_error", "value_error", "retraces", "call_seconds", "temp_bytes",
        "hlo_instructions", "flops",
    ]  # fmt: skip


def test_the_worst_row_is_one_that_fails_the_change_where_there_is_one():
    assert worst(ROWS).metric == "gradient_error"
    assert worst(ROWS[ROWS["verdict"] == "regressed"]).metric == "retraces"
    assert worst(ROWS[ROWS["metric"].isin(["call_seconds", "temp_bytes"])]).metric == "temp_bytes"
    assert worst(ROWS[ROWS["metric"] == "call_seconds"]).metric == "call_seconds"
    assert worst(ROWS[ROWS["verdict"] == "unchanged"]) is None
